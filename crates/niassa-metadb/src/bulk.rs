//! Rows that travel as one JSON text: an array of arrays, taken apart by `json_each($1)`.

use std::borrow::Cow;

use serde::Serialize;

/// Writes rows, each a tuple, an array or a JSON array.
pub(crate) fn rows<T: Serialize>(rows: &[T]) -> String {
    serde_json::to_string(rows).expect("numbers and texts are always JSON")
}

/// Writes rows of one number each.
pub(crate) fn numbers(numbers: impl IntoIterator<Item = impl Into<i64>>) -> String {
    let numbers: Vec<[i64; 1]> = numbers.into_iter().map(|number| [number.into()]).collect();
    rows(&numbers)
}

/// Writes rows of one text each.
pub(crate) fn words<'word>(words: impl IntoIterator<Item = &'word str>) -> String {
    let words: Vec<[&str; 1]> = words.into_iter().map(|word| [word]).collect();
    rows(&words)
}

/// Writes a document that is stored as text.
pub(crate) fn document<T: Serialize + ?Sized>(document: &T) -> String {
    serde_json::to_string(document).expect("our documents are made of numbers, texts and lists")
}

/// Makes a text storable: PostgreSQL keeps no NUL. For texts that come from programs of users.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_arrays_of_arrays() {
        assert_eq!(rows(&[(1, "a\"b", None::<i64>)]), r#"[[1,"a\"b",null]]"#);
        assert_eq!(numbers([7_i64, 8]), "[[7],[8]]");
        assert_eq!(words(["x"]), r#"[["x"]]"#);
        assert_eq!(text("a\0b"), "a\u{fffd}b");
    }
}
