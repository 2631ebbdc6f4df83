//! The way from the body of an answer to detections, without the service.

use super::answer::{self, List};
use super::detection::RawDetection;
use super::{Detection, Error};

pub(crate) fn detections(status: u16, body: &[u8]) -> Result<Vec<Detection>, Error> {
    let text = answer::text(body)?;
    let list: List<RawDetection> = answer::read(status, text.as_bytes())?;
    list.data.into_iter().map(Detection::decode).collect()
}
