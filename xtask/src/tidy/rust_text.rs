//! Rust source with everything that is not code blanked out.
//!
//! A scanner, no parser: it knows comments, strings and characters, and that is all the rules need.
//! Lines and columns stay where they were.

/// Returns the text with comments, string literals and character literals replaced by blanks.
pub(crate) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_comment(bytes, at).or_else(|| end_of_literal(bytes, at));
        let Some(end) = end else {
            code.push(bytes[at]);
            at += 1;
            continue;
        };
        let end = end.min(bytes.len());
        code.extend(bytes[at..end].iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        at = end;
    }
    // Only whole comments and literals were replaced, and those begin and end with ASCII.
    String::from_utf8_lossy(&code).into_owned()
}

/// Returns whether the byte can stand in an identifier.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn end_of_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        return Some(at + length);
    }
    if !rest.starts_with(b"/*") {
        return None;
    }
    let mut depth = 1;
    let mut end = at + 2;
    while end < bytes.len() && depth > 0 {
        match &bytes[end..] {
            [b'/', b'*', ..] => (depth, end) = (depth + 1, end + 2),
            [b'*', b'/', ..] => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
    }
    Some(end)
}

fn end_of_literal(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at] {
        b'"' => Some(end_of_quoted(bytes, at + 1, b'"')),
        b'\'' => end_of_character(bytes, at),
        b'r' if !follows_word(bytes, at) => end_of_raw_string(bytes, at),
        _ => None,
    }
}

/// Returns whether the byte before is part of a longer word: an identifier, but not the `b` or `c`
/// of a byte or C string.
fn follows_word(bytes: &[u8], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).map(|index| bytes[index]);
    match before(1) {
        Some(b'b' | b'c') => before(2).is_some_and(is_word),
        Some(byte) => is_word(byte),
        None => false,
    }
}

fn end_of_quoted(bytes: &[u8], from: usize, quote: u8) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// Tells `'x'` and `'\n'`, which are characters, from `'a`, which is a lifetime.
fn end_of_character(bytes: &[u8], at: usize) -> Option<usize> {
    let first = *bytes.get(at + 1)?;
    if first == b'\\' {
        return Some(end_of_quoted(bytes, at + 1, b'\''));
    }
    let length = match first {
        0..0x80 => 1,
        0x80..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    let closing = at + 1 + length;
    (bytes.get(closing) == Some(&b'\'')).then_some(closing + 1)
}

fn end_of_raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|byte| **byte == b'#').count();
    let open = at + 1 + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }
    let mut closing = vec![b'"'];
    closing.resize(hashes + 1, b'#');
    let body = &bytes[open + 1..];
    let length = body.windows(closing.len()).position(|window| window == closing);
    Some(length.map_or(bytes.len(), |length| open + 1 + length + closing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &str) {
        let found = code_only(text);
        assert_eq!(found.len(), text.len(), "{text}");
        assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), code, "{text}");
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        check("a // b\nc", "a c");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"a("b \" c", d)"#, "a( , d)");
        check(r##"a(r#"b " c"#, d)"##, "a( , d)");
        check(r#"a(br"b\", c)"#, "a(b , c)");
        check(r"m('{', '\'', '\u{1F600}', 'é', d)", "m( , , , , d)");
        check("a /* never closed", "a");
        check("a \"never closed", "a");
    }

    #[test]
    fn lifetimes_and_identifiers_are_code() {
        check("fn f<'a>(x: &'a str) -> Cow<'a, str>", "fn f<'a>(x: &'a str) -> Cow<'a, str>");
        check("let r = other; var\"x\"", "let r = other; var");
        check("r#type + 1", "r#type + 1");
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = "a\n\"b\nc\"\n/* d\n */ e\n";
        assert_eq!(code_only(text).matches('\n').count(), text.matches('\n').count());
    }
}
