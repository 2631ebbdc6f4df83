//! What is asked of an engine.

use tilesight_tile::Bbox;

use super::Question;

/// Answers questions about one world. `None` is the answer of one that cannot.
pub trait Engine: Sync {
    /// What it is called in the table.
    fn name(&self) -> &'static str;

    /// Ids of the images: nearest first, then by id, where the place has a target, else in any
    /// order.
    fn images(&self, question: &Question) -> Option<Vec<i64>>;

    /// Number of the images.
    fn image_count(&self, question: &Question) -> Option<u64>;

    /// Numbers of the images by year of capture, as `"2023: 17"`.
    fn images_by_year(&self, question: &Question) -> Option<Vec<String>>;

    /// Ids of the images of many questions, asked at once.
    fn images_each(&self, questions: &[Question]) -> Option<Vec<Vec<i64>>>;

    /// Ids of the sequences of which a part lies in a box, ascending.
    fn sequences(&self, bbox: &Bbox) -> Option<Vec<&str>>;

    /// Ids of the map features in the place with the value that the question names, in any order.
    fn features(&self, question: &Question) -> Option<Vec<i64>>;
}
