//! What is promised of workflows, on both databases.

use super::*;
use crate::testing::launches::account;
use crate::testing::on_both;

fn new(name: &str, version: &str) -> NewWorkflow {
    let (name, version) = (name.to_owned(), version.to_owned());
    NewWorkflow { name, version, description: "does it".to_owned() }
}

fn all(before: Option<i64>) -> WorkflowFilter {
    WorkflowFilter { name: None, shown: Shown::All, before, limit: 10 }
}

on_both! {
    fn a_name_belongs_to_who_came_first(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        let eve = account(&metadb, "eve@lab.net").await;
        let made = metadb.create_workflow(&bob, &new("A", "1"), None).await.unwrap();
        let Once::Done(WorkflowMade::Made(swid)) = made else { panic!("{made:?}") };
        let again = metadb.create_workflow(&bob, &new("A", "1"), None).await.unwrap();
        assert_eq!(again, Once::Done(WorkflowMade::Exists(swid)));
        let refused = metadb.create_workflow(&eve, &new("A", "2"), None).await.unwrap();
        assert_eq!(refused, Once::Done(WorkflowMade::NotOwner("bob@lab.net".to_owned())));
        let found = metadb.workflow(swid).await.unwrap().unwrap();
        assert_eq!((found.state, found.owner.as_str()), (WorkflowState::External, "bob@lab.net"));
        assert_eq!(found.bundle_sha256, None);
    }

    fn lists_begin_with_the_newest(metadb: MetaDb) {
        let bob = account(&metadb, "bob@lab.net").await;
        for version in ["1", "2", "3"] {
            metadb.create_workflow(&bob, &new("A", version), None).await.unwrap();
        }
        let listed = metadb.workflows(&all(None)).await.unwrap();
        let versions: Vec<_> = listed.iter().map(|workflow| workflow.version.as_str()).collect();
        assert_eq!(versions, ["3", "2", "1"]);
        let rest = metadb.workflows(&all(Some(listed[1].swid.get()))).await.unwrap();
        assert_eq!(rest, listed[2..]);
        let named = WorkflowFilter { name: Some("B".to_owned()), ..all(None) };
        assert_eq!(metadb.workflows(&named).await.unwrap(), []);
    }
}
