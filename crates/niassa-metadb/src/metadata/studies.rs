//! Studies: the root of metadata and the unit of sharing.

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::account::Email;

use super::objects::{Studies, register};
use crate::audit::{self, Deed};
use crate::creating::Begun;
use crate::error::{During, Result};
use crate::idempotency::{Once, OnceKey};
use crate::pool::{column, commit, now_in};
use crate::{Access, MetaDb};

/// A study to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStudy {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Its accession at another archive.
    pub accession: Option<String>,
    /// The centre's name.
    pub center_name: Option<String>,
    /// The centre's name of the project.
    pub center_project_name: Option<String>,
    /// Its type, in Niassa's words.
    pub study_type: Option<String>,
}

/// The outcome of letting an account read a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderAdded {
    /// It may read the study, now or since before.
    Added,
    /// There is no such study, or the caller may not see it.
    NoStudy,
    /// The study is another account's.
    NotOwner,
    /// There is no such account.
    NoAccount,
}

sql! {
    /// Makes a study.
    INSERT = "insert into study (swid, title, description, accession, center_name, \
            center_project_name, study_type) values ($1, $2, $3, $4, $5, $6, $7)";
    /// Whether the caller owns a study that it sees. `$3`: study.
    OWNS = concat!("select case when cast($1 as bigint) = 1 or o.owner = $2 then 1 else 0 end as owns \
        from object o where ", visible!(), " and o.kind = 'study' and o.swid = $3");
    /// Lets an account read a study. `$1`: study; `$2`: address; `$3`: by whom; `$4`: time.
    ADD_READER = "insert into study_reader (study, account, granted_by, granted_at) \
        select cast($1 as bigint), a.id, cast($3 as bigint), cast($4 as bigint) \
        from account a where a.email = $2 \
        on conflict (study, account) do update set study = excluded.study returning account";
}

impl MetaDb {
    /// Makes a study.
    pub async fn create_study(
        &self,
        access: &Access,
        study: &NewStudy,
        once: Option<&OnceKey>,
    ) -> Result<Once<Accession>> {
        const OPERATION: &str = "create a study";
        let mut creating = match self.begin_creating(access, once, OPERATION).await? {
            Begun::Creating(creating) => creating,
            Begun::Answered(swid) => return Ok(Once::Done(swid)),
            Begun::Mismatch => return Ok(Once::Mismatch),
        };
        let (tx, now, owner) = (&mut creating.tx, creating.now, access.account);
        let none = Studies::Of(&[]);
        let swid = register(tx, now, owner, ObjectKind::Study, none, OPERATION).await?;
        sqlx::query(INSERT)
            .bind(swid.get())
            .bind(&study.title)
            .bind(&study.description)
            .bind(study.accession.as_deref())
            .bind(study.center_name.as_deref())
            .bind(study.center_project_name.as_deref())
            .bind(study.study_type.as_deref())
            .execute(&mut **tx)
            .await
            .during(OPERATION)?;
        creating.finish(&swid).await?;
        Ok(Once::Done(swid))
    }

    /// Lets an account read a study and everything below it; only the study's owner and
    /// administrators may.
    pub async fn add_study_reader(
        &self,
        access: &Access,
        study: Accession,
        reader: &Email,
    ) -> Result<ReaderAdded> {
        const OPERATION: &str = "share a study";
        let mut tx = self.begin(OPERATION).await?;
        let owns = sqlx::query(OWNS)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(study.get())
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        match owns.map(|row| column::<i64>(&row, "owns", OPERATION)).transpose()? {
            None => return Ok(ReaderAdded::NoStudy),
            Some(0) => return Ok(ReaderAdded::NotOwner),
            Some(_) => {}
        }
        let now = now_in(&mut tx, OPERATION).await?;
        let added = sqlx::query(ADD_READER)
            .bind(study.get())
            .bind(reader.as_str())
            .bind(access.account.0)
            .bind(now)
            .fetch_optional(&mut *tx)
            .await
            .during(OPERATION)?;
        if added.is_none() {
            return Ok(ReaderAdded::NoAccount);
        }
        let deed = Deed {
            action: "grant_read",
            subject: format!("study {study}"),
            detail: Some(format!("to {reader}")),
        };
        audit::tell(&mut tx, self.dialect(), now, access, deed, OPERATION).await?;
        commit(tx, OPERATION).await?;
        Ok(ReaderAdded::Added)
    }
}
