//! Events: the log of all runs that a caller may see, as it grows.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

/// Where to begin.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Only entries after this sequence number; the header `Last-Event-ID` wins over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
}
