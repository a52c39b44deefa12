//! Query strings of the query types: flat structures whose absent fields are left out.

use reqwest::Url;
use serde::Serialize;
use serde_json::Value;

/// Appends a query's fields to an address. Nested fields have no place in a query and are left out.
pub(super) fn append<Query: Serialize>(url: &mut Url, query: &Query) {
    let Ok(Value::Object(fields)) = serde_json::to_value(query) else { return };
    let pairs: Vec<(String, String)> =
        fields.into_iter().filter_map(|(name, value)| Some((name, text(value)?))).collect();
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(flag).to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::RunQuery;

    #[test]
    fn absent_fields_are_left_out_and_present_ones_encoded() {
        let mut url = Url::parse("http://localhost/v1/runs").unwrap();
        append(&mut url, &RunQuery::default());
        assert_eq!(url.as_str(), "http://localhost/v1/runs");
        let query = RunQuery {
            active: Some(1),
            host: Some("s3://bucket/a b&c".to_owned()),
            accessions: Some("1,2".to_owned()),
            ..RunQuery::default()
        };
        append(&mut url, &query);
        // Their order is that of whoever made the map.
        let mut fields: Vec<&str> = url.query().unwrap_or_default().split('&').collect();
        fields.sort_unstable();
        assert_eq!(fields, ["accessions=1%2C2", "active=1", "host=s3%3A%2F%2Fbucket%2Fa+b%26c"]);
    }
}
