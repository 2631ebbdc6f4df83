//! The table of `docs/reliability.md`, between two lines of the page.

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::{Context, Result};

use crate::rows::{ROWS, Row};

const BEGINNING: &str = "<!-- table: written by the command above -->\n";
const END: &str = "<!-- end of the table -->";

const HEAD: &str = "| row | promised | reached | reproduced by |\n|---|---|---|---|\n";

/// What stands for a row that was never measured.
const NOT_MEASURED: &str = "not measured yet";

/// What was reached, by the names of the rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Table {
    reached: HashMap<String, String>,
}

impl Table {
    /// Reads what a page says was reached.
    pub fn read(page: &str) -> Result<Self> {
        let (_, table, _) = split(page)?;
        let reached = table.lines().filter_map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            let name = cells.first()?.strip_prefix("| ")?;
            Some((name.to_owned(), (*cells.get(2)?).to_owned()))
        });
        Ok(Self {
            reached: reached.collect(),
        })
    }

    /// Notes what a row reached.
    pub fn set(&mut self, row: &Row, reached: &str) {
        // A bar would end the cell.
        let reached = reached.replace('|', "/");
        self.reached.insert(row.name.to_owned(), reached);
    }

    /// The page with this table instead of its own.
    pub fn put_into(&self, page: &str) -> Result<String> {
        let (before, _, after) = split(page)?;
        let mut table = HEAD.to_owned();
        for row in &ROWS {
            let (name, promised) = (row.name, row.promised);
            let reached = self.reached.get(name).map_or(NOT_MEASURED, String::as_str);
            let command = row.command_line();
            writeln!(table, "| {name} | {promised} | {reached} | `{command}` |")?;
        }
        Ok(format!("{before}{BEGINNING}{table}{END}{after}"))
    }
}

/// What comes before the table, the table, and what comes after it.
fn split(page: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = page
        .split_once(BEGINNING)
        .with_context(|| format!("there is no line {}", BEGINNING.trim_end()))?;
    let (table, after) = rest
        .split_once(END)
        .with_context(|| format!("there is no line {END}"))?;
    Ok((before, table, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::named;

    fn page(table: &str) -> String {
        format!("# Title\n\n{BEGINNING}{table}{END}\n\nMore.\n")
    }

    #[test]
    fn a_row_is_replaced_and_the_others_stay() {
        let mut table = Table::read(&page("")).unwrap();
        table.set(named("token").unwrap(), "0 bytes");
        table.set(named("answers").unwrap(), "1 | 2");
        let first = table.put_into(&page("")).unwrap();
        let mut table = Table::read(&first).unwrap();
        table.set(named("token").unwrap(), "none");
        let second = table.put_into(&first).unwrap();
        assert_eq!(second, first.replace("| 0 bytes |", "| none |"));
        assert!(second.starts_with("# Title\n\n<!--") && second.ends_with("-->\n\nMore.\n"));
        assert!(second.contains("| 1 / 2 |"));
        assert_eq!(second.matches(NOT_MEASURED).count(), ROWS.len() - 2);
    }

    #[test]
    fn a_page_without_a_place_for_the_table_is_refused() {
        let error = Table::read("# Title\n").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no line <!-- table: written by the command above -->"
        );
    }

    /// What is written is what is read: a cell with a bar of its own would end early.
    #[test]
    fn no_cell_of_a_row_ends_early() {
        for row in &ROWS {
            let cells = [row.name, row.promised, &row.command_line()];
            assert!(cells.iter().all(|cell| !cell.contains('|')), "{}", row.name);
        }
    }

    #[test]
    fn the_page_has_its_table() {
        let page = include_str!("../../docs/reliability.md");
        let table = Table::read(page).unwrap();
        assert_eq!(
            table.put_into(page).unwrap(),
            page,
            "run `--row NAME` for what changed"
        );
    }
}
