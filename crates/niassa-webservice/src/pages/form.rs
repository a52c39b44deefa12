//! Forms as browsers send them: pairs of names and values, in their order.

use form_urlencoded::Serializer;

/// What a form sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body, or the query of a URL.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Makes what a form with these pairs would send.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// Returns the value of a field; of several the first.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of a field, empty where it was not sent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// Returns all values of a field.
    pub(super) fn all<'form>(&'form self, name: &'form str) -> impl Iterator<Item = &'form str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Returns all pairs.
    pub(super) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Writes pairs as the query of a URL; those without a value are left out.
pub(super) fn query<'pair>(pairs: impl IntoIterator<Item = (&'pair str, &'pair str)>) -> String {
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_travel_whole() {
        let text = query([("q", "host:\"a b\" ü&=+"), ("empty", ""), ("n", "1")]);
        let form = Form::parse(text.as_bytes());
        assert_eq!(form.get("q"), Some("host:\"a b\" ü&=+"));
        assert_eq!((form.get("empty"), form.text("n")), (None, "1"));
        let form = Form::parse(b"run=1&run=2&x=3");
        assert_eq!(form.all("run").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.pairs().len(), 3);
    }
}
