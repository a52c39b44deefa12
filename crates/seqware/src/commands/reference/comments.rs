//! What the comments of an enum say of its variants.

/// Returns each variant of an enum with the sentences above it, in the order of the source.
pub(super) fn of_enum(source: &str, name: &str) -> Vec<(String, String)> {
    let opening = format!("pub enum {name} {{\n");
    let (_, body) = source.split_once(&opening).unwrap_or_else(|| panic!("no enum {name}"));
    let body = body.split("\n}").next().unwrap();
    let (mut variants, mut said) = (Vec::new(), Vec::new());
    for line in body.lines().map(str::trim) {
        if let Some(sentence) = line.strip_prefix("///") {
            said.push(sentence.trim());
        } else if let Some(variant) = line.strip_suffix(',') {
            variants.push((variant.to_owned(), said.join(" ")));
            said.clear();
        }
    }
    variants
}

/// Returns what is said of one variant.
pub(super) fn of_variant(comments: &[(String, String)], variant: &str) -> String {
    let found = comments.iter().find(|(name, _)| name == variant);
    found.unwrap_or_else(|| panic!("no comment about {variant}")).1.clone()
}

#[test]
fn sentences_belong_to_the_variant_below() {
    let source = "pub enum A {\n    /// One.\n    /// More.\n    B,\n    /// Two.\n    C,\n}\n";
    let found = of_enum(source, "A");
    assert_eq!(found[0], ("B".to_owned(), "One. More.".to_owned()));
    assert_eq!(of_variant(&found, "C"), "Two.");
}
