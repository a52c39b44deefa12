//! Tables of many things and records of one, in every format.

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Color, ColumnConstraint, ContentArrangement, Row, Table};
use serde_json::{Map, Value};

use super::cell::{Cell, tsv_of};
use super::words::{Symbols, Tone};
use super::{Format, Look};

/// From this width on, columns that are not needed are shown as well.
const WIDE: u16 = 110;

/// Blanks between two columns.
const GAP: u16 = 2;

/// Long values are wrapped, but not into a column narrower than this.
const NARROWEST: u16 = 16;

/// A column of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its title; programs get it in snake case.
    pub title: &'static str,
    /// Whether long values may be wrapped.
    pub wrap: Wrap,
    /// Who sees it.
    pub shown: Shown,
}

/// Whether the values of a column may be wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrap {
    /// Never: numbers, words.
    Never,
    /// Where the terminal is narrow.
    Allowed,
}

/// Who sees a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// Everybody.
    Always,
    /// Programs, and people with a wide terminal or a pipe.
    Wide,
    /// Programs alone.
    Data,
}

impl Column {
    /// Makes a column of short values that everybody sees.
    pub const fn short(title: &'static str) -> Self {
        Self { title, wrap: Wrap::Never, shown: Shown::Always }
    }

    /// Makes a column of long values that everybody sees.
    pub const fn long(title: &'static str) -> Self {
        Self { title, wrap: Wrap::Allowed, shown: Shown::Always }
    }

    /// Leaves the column away where there is little room.
    #[must_use]
    pub const fn wide(mut self) -> Self {
        self.shown = Shown::Wide;
        self
    }

    /// Shows the column to programs alone.
    #[must_use]
    pub const fn data(mut self) -> Self {
        self.shown = Shown::Data;
        self
    }
}

/// Rows of things of one kind. The first column holds what `-q` prints.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The columns.
    pub columns: &'static [Column],
    /// The rows; each has a cell per column.
    pub rows: Vec<Vec<Cell>>,
    /// What people read where there are no rows.
    pub empty: String,
}

impl Listing {
    /// Makes a listing without rows.
    pub fn new(columns: &'static [Column], empty: impl Into<String>) -> Self {
        Self { columns, rows: Vec::new(), empty: empty.into() }
    }

    /// Writes the listing.
    pub fn render(&self, format: Format, look: Look) -> String {
        match format {
            Format::Table if self.rows.is_empty() => self.empty.clone(),
            Format::Table => self.table(look),
            Format::Json => {
                let rows = self
                    .rows
                    .iter()
                    .map(|row| object(self.columns.iter().map(|column| column.title).zip(row)));
                let rows: Vec<Value> = rows.collect();
                serde_json::to_string_pretty(&rows).unwrap_or_default()
            }
            Format::Tsv => {
                let titles: Vec<&str> = self.columns.iter().map(|column| column.title).collect();
                let rows = self.rows.iter().map(|row| tsv_line(row));
                std::iter::once(titles.join("\t")).chain(rows).collect::<Vec<_>>().join("\n")
            }
            Format::Quiet => {
                let first = self.rows.iter().filter_map(|row| row.first()).map(Cell::tsv);
                first.collect::<Vec<_>>().join("\n")
            }
        }
    }

    fn table(&self, look: Look) -> String {
        let visible = self.visible(look);
        let mut table = plain_table(look);
        table.set_header(Row::from(
            visible.iter().map(|at| styled(self.columns[*at].title.to_owned(), Tone::Strong)),
        ));
        for row in &self.rows {
            table.add_row(Row::from(visible.iter().map(|at| cell(&row[*at], look))));
        }
        table.set_constraints(visible.iter().map(|at| match self.columns[*at].wrap {
            Wrap::Never => ColumnConstraint::ContentWidth,
            Wrap::Allowed => {
                let least = self.width(*at, look).min(NARROWEST) + GAP;
                ColumnConstraint::LowerBoundary(comfy_table::Width::Fixed(least))
            }
        }));
        trimmed(table)
    }

    /// Returns the columns that are shown: those with something in them, as far as they fit. The
    /// first two always do; of the others the last ones that cannot be wrapped go first.
    fn visible(&self, look: Look) -> Vec<usize> {
        let is_wide = look.width.is_none_or(|width| width >= WIDE);
        let is_shown = |at: &usize| match self.columns[*at].shown {
            Shown::Always => self.rows.iter().any(|row| !row[*at].is_empty()),
            Shown::Wide => is_wide && self.rows.iter().any(|row| !row[*at].is_empty()),
            Shown::Data => false,
        };
        let mut visible: Vec<usize> = (0..self.columns.len()).filter(is_shown).collect();
        let Some(room) = look.width else { return visible };
        let needs = |at: usize| {
            let width = self.width(at, look);
            GAP + if self.columns[at].wrap == Wrap::Never { width } else { width.min(NARROWEST) }
        };
        while visible.iter().map(|at| needs(*at)).sum::<u16>() > room.saturating_add(GAP) {
            let droppable = |at: &usize| self.columns[*at].wrap == Wrap::Never;
            match visible.iter().skip(2).rposition(droppable) {
                Some(last) => drop(visible.remove(last + 2)),
                None => break,
            }
        }
        visible
    }

    /// Returns how wide a column is when nothing is wrapped.
    fn width(&self, at: usize, look: Look) -> u16 {
        let symbols = if look.unicode { Symbols::Unicode } else { Symbols::Ascii };
        let widths = self.rows.iter().map(|row| row[at].shown(symbols).0.chars().count());
        let widest = widths.chain([self.columns[at].title.chars().count()]).max().unwrap_or(0);
        u16::try_from(widest).unwrap_or(u16::MAX / 4).min(u16::MAX / 64)
    }
}

/// The fields of one thing.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Titles and values.
    pub fields: Vec<(String, Cell)>,
}

impl Record {
    /// Adds a field.
    #[must_use]
    pub fn with(mut self, title: impl Into<String>, cell: Cell) -> Self {
        self.fields.push((title.into(), cell));
        self
    }

    /// Writes the record; people are spared the empty fields.
    pub fn render(&self, format: Format, look: Look) -> String {
        match format {
            Format::Table => {
                let mut table = plain_table(look);
                for (title, value) in self.fields.iter().filter(|(_, cell)| !cell.is_empty()) {
                    table.add_row(Row::from([
                        styled(title.clone(), Tone::Faint),
                        cell(value, look),
                    ]));
                }
                table.set_constraints([ColumnConstraint::ContentWidth]);
                trimmed(table)
            }
            Format::Json => {
                let fields = self.fields.iter().map(|(title, cell)| (title.as_str(), cell));
                serde_json::to_string_pretty(&object(fields)).unwrap_or_default()
            }
            Format::Tsv => {
                let titles: Vec<&str> =
                    self.fields.iter().map(|(title, _)| title.as_str()).collect();
                let cells: Vec<Cell> = self.fields.iter().map(|(_, cell)| cell.clone()).collect();
                format!("{}\n{}", titles.join("\t"), tsv_line(&cells))
            }
            Format::Quiet => {
                let swid = self.fields.iter().find_map(|(_, cell)| match cell {
                    Cell::Swid(swid) => Some(swid.to_string()),
                    _ => None,
                });
                swid.unwrap_or_default()
            }
        }
    }
}

/// Writes the fields of a JSON object as two lines of tab-separated text.
pub fn tsv_of_object(data: &Value) -> String {
    let Value::Object(fields) = data else { return tsv_of(data) };
    let titles: Vec<&str> = fields.keys().map(String::as_str).collect();
    let values: Vec<String> = fields.values().map(tsv_of).collect();
    format!("{}\n{}", titles.join("\t"), values.join("\t"))
}

/// Returns a title as the name of a JSON field.
pub fn snake_case(title: &str) -> String {
    title.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect()
}

fn object<'cell>(fields: impl Iterator<Item = (&'cell str, &'cell Cell)>) -> Value {
    let fields: Map<String, Value> =
        fields.map(|(title, cell)| (snake_case(title), cell.json())).collect();
    Value::Object(fields)
}

fn tsv_line(row: &[Cell]) -> String {
    row.iter().map(Cell::tsv).collect::<Vec<_>>().join("\t")
}

fn plain_table(look: Look) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    match look.width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.max(40));
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    if look.color {
        table.enforce_styling()
    } else {
        table.force_no_tty()
    };
    table
}

fn cell(cell: &Cell, look: Look) -> comfy_table::Cell {
    let symbols = if look.unicode { Symbols::Unicode } else { Symbols::Ascii };
    let (text, tone) = cell.shown(symbols);
    styled(text, tone)
}

fn styled(text: String, tone: Tone) -> comfy_table::Cell {
    let cell = comfy_table::Cell::new(text);
    match tone {
        Tone::Plain => cell,
        Tone::Faint => cell.add_attribute(Attribute::Dim),
        Tone::Strong => cell.add_attribute(Attribute::Bold),
        Tone::Good => cell.fg(Color::DarkGreen),
        Tone::Busy => cell.fg(Color::DarkCyan),
        Tone::Warning => cell.fg(Color::DarkYellow),
        Tone::Bad => cell.fg(Color::DarkRed),
    }
}

/// Writes a table with two blanks between its columns and none around it.
fn trimmed(mut table: Table) -> String {
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if index == last { 0 } else { GAP }));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use niassa_model::run::RunStatus;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::short("SWID"),
        Column::short("Status"),
        Column::long("Note"),
        Column::short("Host").wide(),
        Column::short("Tag").data(),
    ];

    fn listing() -> Listing {
        let mut listing = Listing::new(COLUMNS, "no runs");
        let long = "waiting for a launcher on server2, last seen 12:03, and nobody else serves it";
        for (swid, status, note) in
            [(7, RunStatus::Submitted, long), (1234, RunStatus::Failed, "x")]
        {
            listing.rows.push(vec![
                Cell::Swid(niassa_model::accession::Accession::try_from(swid).unwrap()),
                Cell::Run(status),
                Cell::text(note),
                Cell::text("server2"),
                Cell::text("abc"),
            ]);
        }
        listing
    }

    const NARROW: Look = Look { width: Some(60), color: false, unicode: true, live: false };
    const PIPE: Look = Look { width: None, color: false, unicode: true, live: false };

    #[test]
    fn a_table_fits_its_terminal() {
        let text = listing().render(Format::Table, NARROW);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_very_narrow_terminal_gets_fewer_columns() {
        let narrow = Look { width: Some(34), ..NARROW };
        let text = listing().render(Format::Table, narrow);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        assert!(text.contains("waiting for a") && text.contains("submitted"), "{text}");
    }

    #[test]
    fn a_pipe_gets_one_line_per_row() {
        let text = listing().render(Format::Table, PIPE);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("server2") && !text.contains("abc"), "{text}");
    }

    #[test]
    fn programs_get_every_column() {
        let json: Value = serde_json::from_str(&listing().render(Format::Json, PIPE)).unwrap();
        assert_eq!(json[0]["swid"], 7);
        assert_eq!(json[1]["status"], "failed");
        assert_eq!(json[1]["tag"], "abc");
        let tsv = listing().render(Format::Tsv, PIPE);
        assert_eq!(tsv.lines().next(), Some("SWID\tStatus\tNote\tHost\tTag"));
        assert_eq!(listing().render(Format::Quiet, PIPE), "7\n1234");
    }

    #[test]
    fn nothing_is_said_in_words_and_in_json() {
        let nothing = Listing::new(COLUMNS, "no runs yet");
        assert_eq!(nothing.render(Format::Table, PIPE), "no runs yet");
        assert_eq!(nothing.render(Format::Json, PIPE), "[]");
        assert_eq!(nothing.render(Format::Quiet, PIPE), "");
    }

    #[test]
    fn colours_stand_only_where_they_are_wanted() {
        let look = Look { color: true, ..NARROW };
        assert!(listing().render(Format::Table, look).contains("\u{1b}["));
        assert!(!listing().render(Format::Table, NARROW).contains('\u{1b}'));
    }

    #[test]
    fn a_record_skips_what_is_empty_for_people_alone() {
        let record =
            Record::default().with("Workflow Run SWID", Cell::Number(7)).with("Host", Cell::Empty);
        assert_eq!(record.render(Format::Table, PIPE), "Workflow Run SWID  7");
        let json: Value = serde_json::from_str(&record.render(Format::Json, PIPE)).unwrap();
        assert_eq!(json, serde_json::json!({"workflow_run_swid": 7, "host": null}));
    }
}
