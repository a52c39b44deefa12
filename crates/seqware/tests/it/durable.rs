//! What the service has answered is on disk, whatever happens to its database in the next moment.

use crate::faults::postgres::PgServer;
use crate::site::{Site, wait_for};

/// Batches are committed without waiting for the disk and flushed before they are answered. The
/// server is ended without a checkpoint right after each answer; it writes what nobody waited for
/// only 200 ms later (`wal_writer_delay`).
#[test]
fn a_run_that_was_accepted_survives_the_end_of_postgresql_right_after() {
    let Some(mut server) = PgServer::start() else { return };
    let site = Site::start_at(Some(server.database()), 30, |_| String::new());
    let bob = site.account("bob@lab.net");
    let yaml = "niassa: 1\nname: One\nversion: \"1\"\ndescription: one step\n\
                steps:\n  - {name: a, command: \"true\"}\n";
    let workflow = bob.install(&site.bundle("one", yaml));
    for _ in 0..2 {
        let run = bob.schedule(workflow, "here", &[]);
        server.restart();
        wait_for("the service has its database again", || {
            bob.seqware(&["workflow", "list"]).code == 0
        });
        assert_eq!(bob.status(run), "submitted");
    }
}
