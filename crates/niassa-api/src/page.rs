//! Pages of a listing, walked by key so that inserts in between shift nothing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows, newest first unless the route says otherwise.
    pub items: Vec<T>,
    /// What to send as `after` for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Returns the page with each row made into another one.
    pub fn map<Row>(self, row: impl FnMut(T) -> Row) -> Page<Row> {
        Page { items: self.items.into_iter().map(row).collect(), next: self.next }
    }
}
