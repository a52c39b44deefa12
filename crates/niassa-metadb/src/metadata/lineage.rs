//! Objects by their kind, and what descends from one: the graph of provenance read downwards, one
//! level at a time.

use niassa_model::accession::{Accession, ObjectKind};
use niassa_model::time::Timestamp;
use sqlx::any::AnyRow;

use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::column;
use crate::{Access, MetaDb};

/// An object as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Its accession.
    pub swid: Accession,
    /// What it is.
    pub kind: ObjectKind,
    /// What people call it: a title, a path, the name of a workflow or a step.
    pub name: Option<String>,
    /// Who made it.
    pub owner: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What people call an object `o`.
macro_rules! name {
    () => {
        "coalesce((select nf.path from file nf where nf.swid = o.swid), \
            (select ns.title from study ns where ns.swid = o.swid), \
            (select ne.title from experiment ne where ne.swid = o.swid), \
            (select nm.title from sample nm where nm.swid = o.swid), \
            (select np.name from step np where np.swid = o.swid), \
            (select nw.name || ' ' || nw.version from run nr join workflow nw \
                on nw.swid = nr.workflow where nr.swid = o.swid)) as name"
    };
}

/// The labels that narrow a caller, for an object `o`. `$3`: labels.
macro_rules! narrowed {
    () => {
        "(cast($3 as text) is null or exists (select 1 from run r \
            where r.swid = coalesce(o.anchor, o.swid) \
                and r.host in (select value ->> 0 from json_each($3))))"
    };
}

sql! {
    /// Objects of a kind that the caller may see, newest first. `$3`: labels; `$4`: kind; `$5`:
    /// before; `$6`: rows.
    OF_KIND = concat!("select o.swid, o.kind, o.created_at, a.email, ", name!(), " \
        from object o join account a on a.id = o.owner \
        where ", visible!(), " and ", narrowed!(), " and o.kind = $4 and o.swid < $5 \
        order by o.swid desc limit $6");
    /// Objects that descend right from one, newest first. `$3`: labels; `$4`: the object; `$5`: rows.
    BELOW = concat!("select o.swid, o.kind, o.created_at, a.email, ", name!(), " from ( \
            select p.run as below from run_parent p where p.parent = $4 \
            union select i.run from run_input_file i where i.file = $4 \
            union select l.run from run_link l where l.object = $4 \
            union select h.file from file_parent h where h.parent = $4 \
            union select f.swid from file f where f.processing = $4 \
            union select e.swid from experiment e where e.study = $4 \
            union select m.swid from sample m where m.experiment = $4 \
            union select d.swid from sample d where d.parent = $4 \
        ) b join object o on o.swid = b.below join account a on a.id = o.owner \
        where ", visible!(), " and ", narrowed!(), " order by o.swid desc limit $5");
}

impl MetaDb {
    /// Lists objects of a kind, newest first, before one.
    pub async fn objects_of_kind(
        &self,
        access: &Access,
        kind: ObjectKind,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<ListedObject>> {
        const OPERATION: &str = "list objects";
        let rows = sqlx::query(OF_KIND)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(kind.as_str())
            .bind(before.unwrap_or(i64::MAX))
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| listed(row, OPERATION)).collect()
    }

    /// Lists what descends right from an object that the caller has seen, newest first.
    pub async fn objects_below(
        &self,
        access: &Access,
        above: Accession,
        limit: u32,
    ) -> Result<Vec<ListedObject>> {
        const OPERATION: &str = "list what descends from an object";
        let rows = sqlx::query(BELOW)
            .bind(access.everything())
            .bind(access.account.0)
            .bind(access.hosts_json())
            .bind(above.get())
            .bind(i64::from(limit))
            .fetch_all(self.reader())
            .await
            .during(OPERATION)?;
        rows.iter().map(|row| listed(row, OPERATION)).collect()
    }
}

fn listed(row: &AnyRow, operation: &'static str) -> Result<ListedObject> {
    let kind: String = column(row, "kind", operation)?;
    Ok(ListedObject {
        swid: accession(row, "swid", operation)?,
        kind: decode(kind.parse(), operation, &kind, "a kind of object")?,
        name: column(row, "name", operation)?,
        owner: column(row, "email", operation)?,
        created_at: Timestamp::from_micros(column(row, "created_at", operation)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::NewFile;
    use crate::idempotency::Once;
    use crate::metadata::objects::Creation;
    use crate::testing::launches::{Launches, account};
    use crate::testing::on_both;

    async fn file(site: &Launches, path: &str, parents: Vec<Accession>) -> Accession {
        let file = NewFile {
            path: path.to_owned(),
            meta_type: "text/plain".to_owned(),
            size: None,
            sha256: None,
            md5: None,
            parents,
        };
        match site.metadb.create_file(&site.bob, &file, None).await.unwrap() {
            Once::Done(Creation::Made(swid)) => swid,
            other => panic!("{other:?}"),
        }
    }

    fn names(listed: &[ListedObject]) -> Vec<(i64, &str)> {
        let name = |object: &ListedObject| object.name.as_deref().map(str::to_owned);
        assert!(listed.iter().all(|object| name(object).is_some()));
        listed.iter().map(|o| (o.swid.get(), o.name.as_deref().unwrap_or_default())).collect()
    }

    on_both! {
        fn what_descends_from_an_object_is_found_by_who_may_see_it(metadb: MetaDb) {
            let site = Launches::new(metadb.clone()).await;
            let eve = account(&metadb, "eve@lab.net").await;
            let raw = file(&site, "/raw", Vec::new()).await;
            let clean = file(&site, "/clean", vec![raw]).await;
            let run = site.schedule_with("here", |run| {
                run.parents = vec![raw];
                run.input_files = vec![raw];
            }).await.swid;
            let below = metadb.objects_below(&site.bob, raw, 9).await.unwrap();
            assert_eq!(names(&below), [(run.get(), "Two 1"), (clean.get(), "/clean")]);
            assert_eq!(metadb.objects_below(&eve, raw, 9).await.unwrap(), []);
            let files = metadb.objects_of_kind(&site.bob, ObjectKind::File, None, 9).await.unwrap();
            assert_eq!(names(&files), [(clean.get(), "/clean"), (raw.get(), "/raw")]);
            let before = Some(clean.get());
            let older = metadb.objects_of_kind(&site.bob, ObjectKind::File, before, 9).await.unwrap();
            assert_eq!(names(&older), [(raw.get(), "/raw")]);
            let nothing = metadb.objects_of_kind(&eve, ObjectKind::File, None, 9).await.unwrap();
            assert_eq!(nothing, []);
        }
    }
}
