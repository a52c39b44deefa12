//! Readers of studies: who may read one, and taking it back. Letting somebody read one is with the
//! studies themselves.

use niassa_model::accession::Accession;
use niassa_model::account::Email;
use niassa_model::time::Timestamp;

use crate::audit::{self, Deed};
use crate::error::{During, Result};
use crate::pool::{column, commit, now_in};
use crate::{Access, MetaDb};

/// Somebody who may read a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyReader {
    /// The address of the account.
    pub account: String,
    /// The address of the account that allowed it.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
}

/// Most readers that are listed.
const MOST: i64 = 500;

sql! {
    /// Who may read a study of the caller's, or any for an administrator. `$1`: 1 for administrators;
    /// `$2`: caller; `$3`: study; `$4`: rows.
    READERS = "select a.email, b.email as granter_email, s.granted_at from study_reader s \
            join account a on a.id = s.account join account b on b.id = s.granted_by \
            join object o on o.swid = s.study \
        where s.study = $3 and (cast($1 as bigint) = 1 or o.owner = $2) order by a.email limit $4";
    /// Takes back that an account may read a study of the caller's, or any for an administrator.
    /// `$1`, `$2`, `$3`: as above; `$4`: address.
    REMOVE = "delete from study_reader where study = $3 \
            and account in (select a.id from account a where a.email = $4) \
            and exists (select 1 from object o where o.swid = $3 \
                and (cast($1 as bigint) = 1 or o.owner = $2)) \
        returning account";
}

impl MetaDb {
    /// Lists who may read a study, for its owner and for administrators; for others nobody.
    pub async fn study_readers(
        &self,
        access: &Access,
        study: Accession,
    ) -> Result<Vec<StudyReader>> {
        const OPERATION: &str = "list the readers of a study";
        let rows = sqlx::query(READERS)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(study.get())
            .bind(MOST)
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        let reader = |row| {
            Ok(StudyReader {
                account: column(row, "email", OPERATION)?,
                granted_by: column(row, "granter_email", OPERATION)?,
                granted_at: Timestamp::from_micros(column(row, "granted_at", OPERATION)?),
            })
        };
        rows.iter().map(reader).collect()
    }

    /// Takes back that an account may read a study. Returns whether it could, and the caller may say
    /// so.
    pub async fn remove_study_reader(
        &self,
        access: &Access,
        study: Accession,
        reader: &Email,
    ) -> Result<bool> {
        const OPERATION: &str = "take a study back from a reader";
        let mut tx = self.begin(OPERATION).await?;
        let now = now_in(&mut tx, OPERATION).await?;
        let removed = sqlx::query(REMOVE)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(study.get())
            .bind(reader.as_str())
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        if removed.is_some() {
            let deed = Deed {
                action: "revoke_read",
                subject: format!("study {study}"),
                detail: Some(format!("from {reader}")),
            };
            audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        }
        commit(tx, OPERATION).await?;
        Ok(removed.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::AuditFilter;
    use crate::metadata::studies::ReaderAdded;
    use crate::runs::RunFilter;
    use crate::runs::tests::study;
    use crate::testing::launches::{Launches, account};
    use crate::testing::on_both;

    on_both! {
        /// What is taken back is gone at once, and only its owner takes it back.
        fn a_study_is_taken_back(metadb: MetaDb) {
            let site = Launches::new(metadb.clone()).await;
            let eve = account(&metadb, "eve@lab.net").await;
            let study = study(&metadb, &site.bob).await;
            site.schedule_with("here", |run| run.parents = vec![study]).await;
            let reader: Email = "eve@lab.net".parse().unwrap();
            let added = metadb.add_study_reader(&site.bob, study, &reader).await.unwrap();
            assert_eq!(added, ReaderAdded::Added);
            let readers = metadb.study_readers(&site.bob, study).await.unwrap();
            assert_eq!((readers.len(), readers[0].account.as_str()), (1, "eve@lab.net"));
            assert_eq!(metadb.study_readers(&eve, study).await.unwrap(), []);
            let any = RunFilter::default();
            assert_eq!(metadb.runs(&eve, &any, 9).await.unwrap().len(), 1);
            assert!(!metadb.remove_study_reader(&eve, study, &reader).await.unwrap());
            assert!(metadb.remove_study_reader(&site.bob, study, &reader).await.unwrap());
            assert!(!metadb.remove_study_reader(&site.bob, study, &reader).await.unwrap());
            assert_eq!(metadb.runs(&eve, &any, 9).await.unwrap(), []);
            let root = Access { sees: crate::access::Sees::Everything, ..eve.clone() };
            let filter = AuditFilter { action: Some("revoke_read".to_owned()), ..AuditFilter::default() };
            let told = metadb.newest_audit_entries(&root, &filter, 9).await.unwrap();
            assert_eq!((told.len(), told[0].account.as_str()), (1, "bob@lab.net"));
            let unseen = metadb.newest_audit_entries(&eve, &filter, 9).await.unwrap();
            assert_eq!(unseen, []);
            let before = AuditFilter { before: Some(told[0].sequence), ..filter };
            assert_eq!(metadb.newest_audit_entries(&root, &before, 9).await.unwrap(), []);
        }
    }
}
