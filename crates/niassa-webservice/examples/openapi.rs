//! Prints the OpenAPI document, as it is checked in: `docs/openapi.json`.

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(niassa_webservice::openapi().as_bytes())
}
