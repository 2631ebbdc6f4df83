//! What is asked of an engine.

use tilesight_tile::Bbox;

use super::Question;

/// Answers questions about one world. `None` is the answer of one that cannot, and of every one to
/// what it does not say.
pub trait Engine: Sync {
    /// What it is called in the table.
    fn name(&self) -> &'static str;

    /// Ids of the images: nearest first, then by id, where the place has a target, else in any
    /// order.
    fn images(&self, _question: &Question) -> Option<Vec<i64>> {
        None
    }

    /// Number of the images.
    fn image_count(&self, _question: &Question) -> Option<u64> {
        None
    }

    /// Numbers of the images by year of capture, as `"2023: 17"`.
    fn images_by_year(&self, _question: &Question) -> Option<Vec<String>> {
        None
    }

    /// Ids of the images of many questions, asked at once.
    fn images_each(&self, _questions: &[Question]) -> Option<Vec<Vec<i64>>> {
        None
    }

    /// Ids of the sequences of which a part lies in a box, ascending.
    fn sequences(&self, _bbox: &Bbox) -> Option<Vec<&str>> {
        None
    }

    /// Ids of the map features in the place with the value that the question names, in any order.
    fn features(&self, _question: &Question) -> Option<Vec<i64>> {
        None
    }
}
