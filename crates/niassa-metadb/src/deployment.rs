//! What tells this MetaDB from every other one.
//!
//! It is drawn when the MetaDB is made, and is no secret. A backup that is restored keeps it: it is the same
//! deployment, with the same runs.

use crate::MetaDb;
use crate::error::{During, Result};
use crate::pool::column;

sql! {
    /// The id of this deployment.
    ID = "select id from deployment";
}

impl MetaDb {
    /// Returns the id of this deployment.
    pub async fn deployment(&self) -> Result<String> {
        const OPERATION: &str = "read which deployment this is";
        let row = sqlx::query(ID).fetch_one(self.reader()).await.during(OPERATION)?;
        column(&row, 0, OPERATION)
    }
}

#[cfg(test)]
mod tests {
    use crate::MetaDb;
    use crate::testing::{on_both, sqlite};

    on_both! {
        /// Each MetaDB draws its own, once.
        fn a_deployment_has_a_name_of_its_own(metadb: MetaDb) {
            let id = metadb.deployment().await.unwrap();
            assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
            metadb.migrate().await.unwrap();
            assert_eq!(metadb.deployment().await.unwrap(), id);
            let (_folder, other) = sqlite().await;
            assert_ne!(other.deployment().await.unwrap(), id);
        }
    }
}
