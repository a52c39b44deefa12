//! Reading an ini file.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The value; variables in it are not replaced yet.
    pub value: String,
    /// The line on which the entry begins, counted from 1.
    pub line: u64,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The line, counted from 1.
    pub line: u64,
    reason: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason)
    }
}

impl std::error::Error for Malformed {}

/// Reads the text of an ini file. A key may come several times; whoever wants one takes the last.
pub fn parse(text: &str) -> Result<Vec<Entry>, Vec<Malformed>> {
    let mut reader = Reader { chars: text.chars().peekable(), line: 1 };
    let mut entries = Vec::new();
    let mut malformed = Vec::new();
    loop {
        reader.skip_blanks();
        match reader.chars.peek() {
            None => break,
            Some('\r' | '\n') => reader.end_line(),
            Some('#' | '!') => reader.skip_line(),
            Some(_) => {
                let line = reader.line;
                match reader.entry() {
                    Ok(entry) => entries.extend(entry),
                    Err(reason) => {
                        malformed.push(Malformed { line, reason });
                        reader.skip_line();
                    }
                }
            }
        }
    }
    if malformed.is_empty() { Ok(entries) } else { Err(malformed) }
}

/// What stands next within a line.
enum Next {
    /// A character that may mean something.
    Plain(char),
    /// A character that means only itself.
    Escaped(char),
    /// Nothing: the line is at its end.
    End,
}

struct Reader<'t> {
    chars: Peekable<Chars<'t>>,
    line: u64,
}

impl Reader<'_> {
    /// Reads an entry; a line that only continues into nothing has none.
    fn entry(&mut self) -> Result<Option<Entry>, &'static str> {
        let line = self.line;
        let mut key = String::new();
        let mut separator = None;
        loop {
            match self.next()? {
                Next::Plain(c) if c == '=' || c == ':' || is_blank(c) => {
                    separator = Some(c);
                    break;
                }
                Next::Plain(c) | Next::Escaped(c) => key.push(c),
                Next::End => break,
            }
        }
        let value = match separator {
            None if key.is_empty() => return Ok(None),
            None => String::new(),
            Some(separator) => self.value(separator)?,
        };
        Ok(Some(Entry { key, value, line }))
    }

    /// Reads what follows a key: blanks around one `=` or `:` do not belong to the value.
    fn value(&mut self, separator: char) -> Result<String, &'static str> {
        let mut may_separate = is_blank(separator);
        let mut value = String::new();
        let mut begun = false;
        loop {
            match self.next()? {
                Next::Plain(c) if !begun && is_blank(c) => {}
                Next::Plain('=' | ':') if !begun && may_separate => may_separate = false,
                Next::Plain(c) | Next::Escaped(c) => {
                    begun = true;
                    value.push(c);
                }
                Next::End => return Ok(value),
            }
        }
    }

    /// Takes the next character of a line that a backslash may continue. The end of the line stays.
    fn next(&mut self) -> Result<Next, &'static str> {
        loop {
            match self.chars.peek().copied() {
                None | Some('\r' | '\n') => return Ok(Next::End),
                Some('\\') => {
                    self.chars.next();
                }
                Some(c) => {
                    self.chars.next();
                    return Ok(Next::Plain(c));
                }
            }
            match self.chars.peek().copied() {
                // A backslash at the very end means nothing.
                None => return Ok(Next::End),
                Some('\r' | '\n') => {
                    self.end_line();
                    self.skip_blanks();
                }
                Some(_) => return self.escaped().map(Next::Escaped),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, &'static str> {
        match self.chars.next() {
            Some('t') => Ok('\t'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('f') => Ok('\x0c'),
            Some('u') => self.unicode(),
            Some(c) => Ok(c),
            None => Err("the text ends within an escape"),
        }
    }

    /// Reads the digits of `\uXXXX`; Java writes characters beyond 16 bits as two of them.
    fn unicode(&mut self) -> Result<char, &'static str> {
        const HALF: &str = "\\u gives half a character; the other half must follow at once";
        let first = self.hex()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        let follows = ['\\', 'u'].iter().all(|c| self.chars.next_if_eq(c).is_some());
        if !follows {
            return Err(HALF);
        }
        let second = self.hex()?;
        let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
        if !is_pair {
            return Err(HALF);
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(HALF)
    }

    fn hex(&mut self) -> Result<u32, &'static str> {
        let mut number = 0;
        for _ in 0..4 {
            let digit = self.chars.peek().and_then(|c| c.to_digit(16));
            let Some(digit) = digit else {
                return Err("\\u needs four hexadecimal digits");
            };
            self.chars.next();
            number = number * 16 + digit;
        }
        Ok(number)
    }

    fn skip_blanks(&mut self) {
        while self.chars.next_if(|c| is_blank(*c)).is_some() {}
    }

    /// Goes to the next line; a comment is not continued by a backslash.
    fn skip_line(&mut self) {
        while self.chars.next_if(|c| !matches!(c, '\r' | '\n')).is_some() {}
        self.end_line();
    }

    /// Takes the end of a line, however it is written.
    fn end_line(&mut self) {
        let Some(end) = self.chars.next() else { return };
        if end == '\r' {
            self.chars.next_if_eq(&'\n');
        }
        self.line += 1;
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\x0c')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String, u64)> {
        let entries = parse(text).expect("well-formed");
        entries.into_iter().map(|entry| (entry.key, entry.value, entry.line)).collect()
    }

    fn check(text: &str, key: &str, value: &str) {
        assert_eq!(read(text), [(key.to_owned(), value.to_owned(), 1)], "{text:?}");
    }

    #[test]
    fn keys_end_where_java_ends_them() {
        for text in ["a=b", "a:b", "a b", "a = b", "a : b", "\t a\t=\tb", "a=b\n", "a=b\r\n"] {
            check(text, "a", "b");
        }
        check("a", "a", "");
        check("a=", "a", "");
        check("a==b", "a", "=b");
        check("a = = b", "a", "= b");
        check("a\\ b=c", "a b", "c");
        check("a\\=b=c", "a=b", "c");
        check("=b", "", "b");
        check("a=b c ", "a", "b c ");
        check("a=\\ b", "a", " b");
        check("a=#b", "a", "#b");
    }

    #[test]
    fn escapes_are_javas() {
        check("a=\\t\\n\\r\\f\\\\\\q", "a", "\t\n\r\x0c\\q");
        check("a=\\u00e4\\uD83D\\ude00", "a", "ä😀");
    }

    #[test]
    fn lines_are_continued_and_counted() {
        let text = "# one\\\na=1\\\n   2\n\n! four\n\r\nb=\\\n\\\n3\nc\\\n:4";
        assert_eq!(
            read(text),
            [
                ("a".to_owned(), "12".to_owned(), 2),
                ("b".to_owned(), "3".to_owned(), 7),
                ("c".to_owned(), "4".to_owned(), 10),
            ]
        );
        check("a=1\\", "a", "1");
        assert_eq!(read("\n\r\n\r  \n# only\n"), []);
    }

    #[test]
    fn all_malformed_lines_are_told() {
        let malformed = parse("a=\\u12\nb=1\nc=\\ud83d\nd=\\ude00\\u0020").unwrap_err();
        assert_eq!(malformed.iter().map(|m| m.line).collect::<Vec<_>>(), [1, 3, 4]);
        assert_eq!(malformed[0].to_string(), "\\u needs four hexadecimal digits");
    }

    /// The same text as another implementation reads it.
    fn as_others_read(text: &str) -> Option<Vec<(String, String)>> {
        let mut entries = Vec::new();
        let iterator = java_properties::PropertiesIter::new(text.as_bytes());
        let read = { iterator }.read_into(|key, value| entries.push((key, value)));
        read.ok().map(|()| entries)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn we_read_what_others_read(text in r"[ab=:#!\\ \t\n\run0-9]{0,40}") {
            // Where a backslash ends the whole text, the other one forgets its line.
            let text = format!("{text}\n\nend=1\n");
            if let (Ok(ours), Some(theirs)) = (parse(&text), as_others_read(&text)) {
                let ours: Vec<_> = ours.into_iter().map(|entry| (entry.key, entry.value)).collect();
                // A line that continues nothing is a comment to the other one, not so to Java.
                prop_assume!(!ours.iter().any(|(key, _)| key.starts_with(['#', '!'])));
                prop_assert_eq!(ours, theirs, "{:?}", text);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in r"(\PC|[\\\n\r\t=]){0,60}") {
            if let Ok(entries) = parse(&text) {
                for entry in entries {
                    prop_assert!(entry.line >= 1);
                    prop_assert!(entry.line <= 1 + text.matches(['\n', '\r']).count() as u64);
                }
            }
        }
    }
}
