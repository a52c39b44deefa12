//! The functions of a file, with their lengths.

use super::rust_text::is_word;

/// A function with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace, both included.
    pub(crate) length: usize,
}

/// Returns the functions with a body in `code`, which holds neither comments nor literals.
///
/// A function inside another one counts as part of that one.
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 1;
    let mut counted = 0;
    while let Some((start, name)) = next_name(code, at) {
        let Some(end) = end_of_body(bytes, start) else {
            at = start + 2;
            continue;
        };
        line += newlines(&bytes[counted..start]);
        let length = newlines(&bytes[start..end]) + 1;
        found.push(Function { name, line, length });
        counted = start;
        at = end;
    }
    found
}

/// Returns the names of all functions in `code`, those without a body and those inside others too.
pub(crate) fn function_names(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut at = 0;
    while let Some((start, name)) = next_name(code, at) {
        names.push(name);
        at = start + 2;
    }
    names
}

/// Finds the next `fn name` at or after `from`: where its `fn` stands, and the name. The type
/// `fn(i64)` has no name and is passed over.
fn next_name(code: &str, from: usize) -> Option<(usize, String)> {
    let bytes = code.as_bytes();
    let mut at = from;
    while let Some(offset) = code[at..].find("fn ") {
        let start = at + offset;
        at = start + 3;
        if start > 0 && is_word(bytes[start - 1]) {
            continue;
        }
        let name: String = code[at..]
            .trim_start()
            .bytes()
            .take_while(|byte| is_word(*byte))
            .map(char::from)
            .collect();
        if !name.is_empty() {
            return Some((start, name));
        }
    }
    None
}

/// Returns the place after the closing brace of the function that starts at `start`, or nothing for
/// a declaration without a body.
fn end_of_body(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_i32;
    let mut inside = false;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' => {
                inside = inside || depth == 0;
                depth += 1;
            }
            b'}' => {
                depth -= 1;
                if inside && depth == 0 {
                    return Some(start + offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &[(&str, usize, usize)]) {
        let found = functions(code);
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.length)).collect();
        assert_eq!(found, expected, "{code}");
    }

    #[test]
    fn lengths_run_from_fn_to_the_closing_brace() {
        check("fn a() {}", &[("a", 1, 1)]);
        check(
            "\npub async fn a(\n    b: [u8; 4],\n) -> C\nwhere\n    D: E,\n{\n    f();\n}\n",
            &[("a", 2, 8)],
        );
        check("fn a() {\n}\nfn b() {\n x;\n}\n", &[("a", 1, 2), ("b", 3, 3)]);
        check("impl A {\n    const fn b(&self) {\n    }\n}\n", &[("b", 2, 2)]);
    }

    #[test]
    fn inner_functions_and_closures_belong_to_the_outer_one() {
        check("fn a() {\n    fn b() {\n    }\n    c(|| {\n    });\n}\n", &[("a", 1, 6)]);
    }

    #[test]
    fn declarations_and_types_are_no_functions() {
        check("trait A {\n    fn b(&self) -> [u8; 4];\n    fn c() {}\n}\n", &[("c", 3, 1)]);
        check("struct A { b: fn (i64) -> i64 }", &[]);
        check("let often = 1; fn a() {}", &[("a", 1, 1)]);
    }

    #[test]
    fn names_include_declarations_and_inner_functions() {
        let code = "trait A { fn b(&self); }\nfn c<T>() { fn d() {} }";
        assert_eq!(function_names(code), ["b", "c", "d"]);
    }
}
