//! What requests for runs name: whether it is there, visible and of the right kind.

use std::collections::{BTreeSet, HashMap};

use niassa_model::accession::{Accession, ObjectKind};

use super::{Misfit, Refusal, Request};
use crate::bulk;
use crate::error::{During, Result, decode};
use crate::events::accession;
use crate::pool::{Writing, column};

sql! {
    /// Objects that callers may see; workflows are for everybody. With the time of the transaction.
    /// `$1`: rows of whether the caller sees everything, account, object.
    FIND = concat!("select cast(j.value ->> 0 as bigint) as everything, \
            cast(j.value ->> 1 as bigint) as account, o.swid, o.kind, w.state, c.now \
        from json_each($1) j cross join clock c \
            join object o on o.swid = cast(j.value ->> 2 as bigint) \
            left join workflow w on w.swid = o.swid \
        where o.kind = 'workflow' or ",
            visible!(by_key "cast(j.value ->> 0 as bigint)", "cast(j.value ->> 1 as bigint)"));
}

/// States of a workflow of which runs can be scheduled.
const SCHEDULABLE: [&str; 2] = ["installed", "development"];

/// What a batch names, as far as it was found.
pub(crate) struct Checked {
    /// The time of the transaction; 0 where nothing was found, and so nothing will be written.
    pub(crate) now: i64,
    found: HashMap<Naming, Found>,
}

/// Who names what: whether it sees everything, its account, the object.
type Naming = (i64, i64, Accession);

struct Found {
    kind: ObjectKind,
    /// The state of a workflow.
    state: Option<String>,
}

/// Looks up everything that a batch names, each object once per caller.
pub(crate) async fn load(
    transaction: &mut Writing,
    requests: &[&Request],
    operation: &'static str,
) -> Result<Checked> {
    let named: BTreeSet<Naming> = requests
        .iter()
        .flat_map(|request| all_named(request).map(|object| naming(request, object)))
        .collect();
    let named: Vec<Naming> = named.into_iter().collect();
    let rows = sqlx::query(FIND)
        .bind(bulk::rows(&named))
        .fetch_all(&mut **transaction)
        .await
        .during(operation)?;
    let mut checked = Checked { now: 0, found: HashMap::new() };
    for row in &rows {
        let object = accession(row, "swid", operation)?;
        let kind: String = column(row, "kind", operation)?;
        let kind = decode(kind.parse(), operation, &kind, "a kind of object")?;
        let naming = (column(row, 0, operation)?, column(row, 1, operation)?, object);
        checked.found.insert(naming, Found { kind, state: column(row, "state", operation)? });
        // Every row has it; the database reads its clock once or more, so the first one counts.
        if checked.now == 0 {
            checked.now = column(row, "now", operation)?;
        }
    }
    Ok(checked)
}

impl Checked {
    /// Returns why a request cannot be accepted, if it cannot.
    pub(crate) fn refusal(&self, request: &Request) -> Option<Refusal> {
        let unknown: BTreeSet<Accession> =
            all_named(request).filter(|object| self.find(request, *object).is_none()).collect();
        if !unknown.is_empty() {
            return Some(Refusal::Unknown(unknown.into_iter().collect()));
        }
        let run = &request.run;
        self.workflow(request)
            .or_else(|| {
                let fits = ObjectKind::can_be_parent;
                self.misfits(request, &run.parents, fits).map(Refusal::NotParents)
            })
            .or_else(|| {
                let fits = |kind| kind == ObjectKind::File;
                self.misfits(request, &run.input_files, fits).map(Refusal::NotFiles)
            })
            .or_else(|| {
                let fits = |kind| matches!(kind, ObjectKind::Ius | ObjectKind::Lane);
                self.misfits(request, &run.links, fits).map(Refusal::NotLinkable)
            })
    }

    fn workflow(&self, request: &Request) -> Option<Refusal> {
        let found = self.find(request, request.run.workflow)?;
        if found.kind != ObjectKind::Workflow {
            return Some(Refusal::NotAWorkflow(found.kind));
        }
        let state = found.state.as_deref().unwrap_or_default();
        (!SCHEDULABLE.contains(&state)).then(|| Refusal::NotSchedulable(state.to_owned()))
    }

    fn misfits(
        &self,
        request: &Request,
        objects: &[Accession],
        fits: impl Fn(ObjectKind) -> bool,
    ) -> Option<Vec<Misfit>> {
        let kind = |object: Accession| self.find(request, object).map(|found| found.kind);
        let misfits: Vec<Misfit> = objects
            .iter()
            .filter_map(|&object| Some(Misfit { object, kind: kind(object)? }))
            .filter(|misfit| !fits(misfit.kind))
            .collect();
        (!misfits.is_empty()).then_some(misfits)
    }

    fn find(&self, request: &Request, object: Accession) -> Option<&Found> {
        self.found.get(&naming(request, object))
    }
}

fn naming(request: &Request, object: Accession) -> Naming {
    (request.access.everything(), request.access.account.0, object)
}

fn all_named(request: &Request) -> impl Iterator<Item = Accession> {
    let run = &request.run;
    let lists = [&run.parents, &run.input_files, &run.links];
    std::iter::once(run.workflow).chain(lists.into_iter().flatten().copied())
}
