//! `reliability/unreached.md`: lines that no test runs, and why not.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Lines by the file they are in, each as often as it has a reason.
#[derive(Debug, Default)]
pub struct Reasons {
    lines: BTreeMap<String, Vec<String>>,
}

impl Reasons {
    /// Reads a page: after a heading with the path of a file its lines, each with a reason.
    pub fn read(page: &str) -> Result<Self> {
        let mut reasons = Self::default();
        let mut file = None;
        for line in page.lines() {
            if let Some(path) = line.strip_prefix("## ") {
                file = Some(reasons.lines.entry(path.to_owned()).or_default());
            } else if let Some(entry) = line.strip_prefix("- ") {
                let code = entry
                    .strip_prefix('`')
                    .and_then(|rest| rest.split_once("`: "));
                let (Some((code, _)), Some(file)) = (code, &mut file) else {
                    bail!("`{line}` is not written as - `CODE`: REASON below ## FILE");
                };
                file.push(code.to_owned());
            }
        }
        Ok(reasons)
    }

    /// Takes away a reason for a line of a file, if there is one.
    pub fn take(&mut self, path: &str, code: &str) -> bool {
        let Some(lines) = self.lines.get_mut(path) else {
            return false;
        };
        let found = lines.iter().position(|line| line == code);
        found.map(|found| lines.swap_remove(found)).is_some()
    }

    /// The lines whose reasons were not taken: tests run them by now, or they are gone.
    pub fn left(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.lines.iter();
        files.flat_map(|(path, lines)| lines.iter().map(|line| (path.as_str(), line.as_str())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Title\n\nText.\n\n## a.rs\n\n- `..`: a pattern\n- `..`: another\n";

    #[test]
    fn a_reason_is_good_for_one_line() {
        let mut reasons = Reasons::read(PAGE).unwrap();
        assert!(!reasons.take("b.rs", "..") && !reasons.take("a.rs", "x"));
        assert!(reasons.take("a.rs", ".."));
        assert_eq!(reasons.left().collect::<Vec<_>>(), [("a.rs", "..")]);
        assert!(reasons.take("a.rs", "..") && !reasons.take("a.rs", ".."));
        assert_eq!(reasons.left().count(), 0);
    }

    #[test]
    fn what_is_no_reason_is_refused() {
        for page in [
            "- `..`: before any file",
            "## a.rs\n- no code",
            "## a.rs\n- `x` no colon",
        ] {
            let refused = Reasons::read(page).unwrap_err().to_string();
            assert!(refused.contains("- `CODE`: REASON"), "{refused}");
        }
    }
}
