//! Compares two OpenAPI documents as somebody sees them who knows the older one only.
//!
//! What such a client sends has to be taken: no parameter and no field may be needed that was not, no
//! word refused that was known. What it is answered has to be read: no field may be missing or of
//! another type, and no word may come that it does not know.

use serde_json::Value;

/// Which way a schema travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Asked,
    Answered,
}

struct Comparison<'documents> {
    old: &'documents Value,
    new: &'documents Value,
    broken: Vec<String>,
}

/// Returns what a client of the old document could trip over.
pub fn broken(old: &Value, new: &Value) -> Vec<String> {
    let mut comparison = Comparison { old, new, broken: Vec::new() };
    let nothing = Value::Null;
    for (path, item) in old["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let at = format!("{method} {path}");
            match &new["paths"][path][method] {
                found if *found == nothing => comparison.broken.push(format!("{at} is gone")),
                found => comparison.operation(&at, operation, found),
            }
        }
    }
    comparison.broken
}

impl Comparison<'_> {
    fn operation(&mut self, at: &str, old: &Value, new: &Value) {
        let parameters = |operation: &Value| operation["parameters"].as_array().cloned();
        let known = parameters(old).unwrap_or_default();
        for parameter in parameters(new).unwrap_or_default() {
            let was_needed = known.iter().any(|one| {
                one["name"] == parameter["name"] && one["required"] == Value::Bool(true)
            });
            if parameter["required"] == Value::Bool(true) && !was_needed {
                self.broken.push(format!("{at} needs the parameter {}", parameter["name"]));
            }
        }
        let body = |operation: &Value| schema_of(&operation["requestBody"]["content"]);
        match (body(old), body(new)) {
            (Some(old), Some(new)) => self.schema(&format!("{at} asked"), Way::Asked, &old, &new),
            (None, Some(_)) if new["requestBody"]["required"] == Value::Bool(true) => {
                self.broken.push(format!("{at} needs a body"));
            }
            (_, None) | (None, Some(_)) => {}
        }
        for (status, response) in old["responses"].as_object().expect("responses") {
            let Some(old) = schema_of(&response["content"]) else { continue };
            let at = format!("{at} {status}");
            match schema_of(&new["responses"][status]["content"]) {
                Some(new) => self.schema(&at, Way::Answered, &old, &new),
                None => self.broken.push(format!("{at} is answered no more")),
            }
        }
    }

    fn schema(&mut self, at: &str, way: Way, old: &Value, new: &Value) {
        // Schemas of ours do not refer to themselves, so that this ends.
        let (old, new) = (resolved(self.old, old), resolved(self.new, new));
        self.types(at, way, &old, &new);
        self.words(at, way, &old, &new);
        if let (Some(old), Some(new)) = (old.get("items"), new.get("items")) {
            self.schema(&format!("{at}[]"), way, old, new);
        }
        self.alternatives(at, way, &old, &new);
        self.fields(at, way, &old, &new);
    }

    fn types(&mut self, at: &str, way: Way, old: &Value, new: &Value) {
        let (was, is) = (types(old), types(new));
        // Whoever reads must not meet a type that it does not know, whoever writes must be taken.
        let fits = match way {
            Way::Answered => is.iter().all(|one| was.contains(one)),
            Way::Asked => was.iter().all(|one| is.contains(one)),
        };
        if !fits && !was.is_empty() && !is.is_empty() {
            self.broken.push(format!("{at} was {was:?} and is {is:?}"));
        }
    }

    fn words(&mut self, at: &str, way: Way, old: &Value, new: &Value) {
        let (Some(was), Some(is)) = (old["enum"].as_array(), new["enum"].as_array()) else {
            return;
        };
        let (all, of) = match way {
            Way::Answered => (is, was),
            Way::Asked => (was, is),
        };
        for word in all.iter().filter(|word| !of.contains(word)) {
            self.broken.push(format!("{at}: the word {word} is not known to both"));
        }
    }

    /// Compares alternatives by their first field, as our enums with content have one each.
    fn alternatives(&mut self, at: &str, way: Way, old: &Value, new: &Value) {
        let (Some(was), Some(is)) = (old["oneOf"].as_array(), new["oneOf"].as_array()) else {
            return;
        };
        for one in was {
            let one = resolved(self.old, one);
            let twin = is
                .iter()
                .map(|other| resolved(self.new, other))
                .find(|other| name_of(other) == name_of(&one));
            match twin {
                Some(twin) => self.schema(&format!("{at} as {}", name_of(&one)), way, &one, &twin),
                None if way == Way::Asked => {
                    self.broken.push(format!("{at}: {} is taken no more", name_of(&one)));
                }
                None => {}
            }
        }
    }

    fn fields(&mut self, at: &str, way: Way, old: &Value, new: &Value) {
        let Some(fields) = old["properties"].as_object() else { return };
        for (name, field) in fields {
            match new["properties"].get(name) {
                Some(found) => self.schema(&format!("{at}.{name}"), way, field, found),
                None => self.broken.push(format!("{at}.{name} is gone")),
            }
        }
        let (was, is) = (required(old), required(new));
        let (names, among) = match way {
            Way::Answered => (was, is),
            Way::Asked => (is, was),
        };
        for name in names.iter().filter(|name| !among.contains(name)) {
            let what = if way == Way::Asked { "is needed now" } else { "may be missing now" };
            self.broken.push(format!("{at}.{name} {what}"));
        }
    }
}

fn schema_of(content: &Value) -> Option<Value> {
    content.as_object()?.values().next()?.get("schema").cloned()
}

fn resolved(document: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str().and_then(|link| link.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).expect("a schema").clone(),
        None => schema.clone(),
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one],
        _ => Vec::new(),
    }
}

fn required(schema: &Value) -> Vec<&str> {
    let names = schema["required"].as_array().into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

/// Names an alternative: its type where it is no object, else its first needed field.
fn name_of(schema: &Value) -> String {
    match required(schema).first() {
        Some(name) => (*name).to_owned(),
        None => types(schema).first().copied().unwrap_or("value").to_owned(),
    }
}

#[test]
fn what_an_older_client_would_trip_over_is_found() {
    let document = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let of = |schema: &str, path: &str| {
        document(&format!(
            r##"{{"components": {{"schemas": {{"A": {schema}}}}},
            "paths": {{"{path}": {{"post": {{
                "requestBody": {{"content": {{"json": {{"schema": {{"$ref": "#/components/schemas/A"}}}}}}}},
                "responses": {{"200": {{"content": {{"json": {{"schema": {{"$ref": "#/components/schemas/A"}}}}}}}}}}
            }}}}}}}}"##
        ))
    };
    let object = |properties: &str, required: &str| {
        of(
            &format!(
                r#"{{"type": "object", "properties": {{{properties}}}, "required": {required}}}"#
            ),
            "/a",
        )
    };
    let (word, number) =
        (r#""w": {"type": "string", "enum": ["x"]}"#, r#""n": {"type": "integer"}"#);
    let both = format!("{word}, {number}");
    let old = object(&both, r#"["n"]"#);
    assert_eq!(broken(&old, &old), [""; 0]);
    let more = object(&format!("{both}, \"more\": {{\"type\": \"string\"}}"), r#"["n"]"#);
    assert_eq!(broken(&old, &more), [""; 0], "fields may be added");
    for (new, found) in [
        (of("{}", "/b"), "post /a is gone"),
        (object(word, "[]"), "post /a asked.n is gone"),
        (object(&both, "[]"), "post /a 200.n may be missing now"),
        (object(&both, r#"["n", "w"]"#), "post /a asked.w is needed now"),
        (object(&both.replace("integer", "string"), r#"["n"]"#), "was [\"integer\"]"),
        (object(&both.replace("\"x\"", "\"x\", \"y\""), r#"["n"]"#), "200.w: the word \"y\""),
        (object(&both.replace("\"x\"", "\"y\""), r#"["n"]"#), "asked.w: the word \"x\""),
    ] {
        let told = broken(&old, &new);
        assert!(told.iter().any(|one| one.contains(found)), "no `{found}` in {told:?}");
    }
}
