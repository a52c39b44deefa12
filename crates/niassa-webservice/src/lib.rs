//! The Web Service: accounts, rules, and what is known of runs, over HTTP.
//!
//! A request passes `http` (parse), `usecases` (decide with `niassa-model`) and `niassa-metadb`
//! (read and write, with the check of who may). The service starts no process and touches no engine.

pub mod administer;
mod app;
mod audit_heads;
pub mod backup;
mod bundle_store;
pub mod config;
mod error;
mod http;
mod known_workflows;
mod log_exchange;
mod metrics;
mod pages;
mod proxies;
mod server;
mod sign_in;
mod start;
#[cfg(test)]
mod testing;
pub mod tls;
mod usecases;

pub use start::{RunningService, StartError, start};

/// Returns the OpenAPI document of the service, as it is checked in.
pub fn openapi() -> String {
    let mut text = http::document().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
