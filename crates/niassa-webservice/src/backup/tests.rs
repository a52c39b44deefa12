//! Backups of SQLite; of both databases in the tests of the executable.

use niassa_metadb::bundles::NewBundle;
use niassa_metadb::workflows::{NewWorkflow, WorkflowState};
use sha2::{Digest, Sha256};

use super::*;
use crate::sign_in::hex;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let metadb = place.open().await;
        metadb.migrate().await.unwrap();
        crate::testing::make_account(&metadb, "ann@lab.net", niassa_model::account::Role::Member)
            .await;
        metadb.close().await;
        place
    }

    fn config(&self, data: &str) -> ServiceConfig {
        ServiceConfig::embedded(&self.folder.path().join(data))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self) -> MetaDb {
        fs::create_dir_all(self.path("data/bundles")).unwrap();
        MetaDb::connect(self.config("data").location().unwrap()).await.unwrap()
    }

    /// Installs a bundle whose archive holds a text.
    async fn install(&self, text: &str) -> PathBuf {
        let metadb = self.open().await;
        let sha256 = hex(&Sha256::digest(text));
        let archive = self.path("data/bundles").join(format!("{sha256}.zip"));
        fs::write(&archive, text).unwrap();
        let bundle = NewBundle {
            workflow: NewWorkflow {
                name: text.to_owned(),
                version: "1".to_owned(),
                description: String::new(),
            },
            state: WorkflowState::Installed,
            sha256,
            size: i64::try_from(text.len()).unwrap(),
            manifest: "niassa: 1".to_owned(),
            config: Vec::new(),
        };
        let access = niassa_metadb::Access {
            account: niassa_model::account::AccountId(1),
            ..crate::administer::operator()
        };
        metadb.install_bundle(&access, &bundle, None).await.unwrap();
        metadb.close().await;
        archive
    }

    async fn back_up(&self) -> Finished {
        self.back_up_keeping(Keep::All).await
    }

    async fn back_up_keeping(&self, keep: Keep) -> Finished {
        let backup = Backup::begin(&self.config("data"), &self.path("backups")).await.unwrap();
        assert!(backup.server_copy().unwrap().is_none());
        backup.finish(keep).await.unwrap()
    }

    async fn restore(&self, from: &Path, data: &str) -> Result<Restored, BackupError> {
        let restoring = Restoring::begin(from, &self.config(data)).await?;
        assert!(restoring.server_copy()?.is_none());
        restoring.finish().await
    }
}

#[tokio::test]
async fn archives_are_copied_once_and_a_restore_holds_the_same() {
    let place = Place::new().await;
    place.install("one").await;
    assert_eq!(place.back_up().await.copied, 1);
    let before = place.open().await;
    assert!(before.last_backup().await.unwrap().is_some());
    before.close().await;
    place.install("two").await;
    let second = place.back_up().await;
    assert_eq!((second.copied, second.manifest.archives.len()), (1, 2));
    let restored = place.restore(&place.path("backups"), "new").await.unwrap();
    assert_eq!((restored.folder, restored.copied), (second.folder.clone(), 2));
    let metadb = MetaDb::connect(place.config("new").location().unwrap()).await.unwrap();
    let contents = metadb.contents().await.unwrap();
    assert_eq!(contents.last_swid, second.manifest.contents.last_swid);
    assert_eq!(contents.audit_entries, second.manifest.contents.audit_entries + 1);
    let last = metadb.last_backup().await.unwrap().unwrap();
    assert_eq!(last.taken_at, second.manifest.contents.at);
    metadb.close().await;
    let found = crate::administer::check(&place.config("new")).await.unwrap();
    let bad = |finding: &&crate::administer::Finding| {
        finding.verdict != crate::administer::CheckVerdict::Good
    };
    assert_eq!(found.iter().filter(bad).collect::<Vec<_>>(), [&found[0]; 0]);
    let again = place.restore(&second.folder, "new").await;
    assert!(matches!(again, Err(BackupError::NotEmpty(_))));
}

#[tokio::test]
async fn what_was_changed_is_not_put_back() {
    let place = Place::new().await;
    place.install("one").await;
    let backup = place.back_up().await.folder;
    let files = [backup.join("metadb.db"), backup.join("manifest.json")];
    let archive = fs::read_dir(place.path("backups/bundles")).unwrap().next().unwrap().unwrap();
    for file in files.into_iter().chain([archive.path()]) {
        let kept = fs::read(&file).unwrap();
        let mut changed = kept.clone();
        changed[kept.len() / 2] ^= 1;
        fs::write(&file, changed).unwrap();
        let refused = place.restore(&backup, "new").await;
        assert!(
            matches!(refused, Err(BackupError::Changed(path)) if path.ends_with(file.file_name().unwrap()))
        );
        fs::write(&file, kept).unwrap();
    }
    assert!(!place.path("new/niassa.db").exists());
    place.restore(&backup, "new").await.unwrap();
    let nothing = place.restore(&place.path("data"), "other").await;
    assert!(matches!(nothing, Err(BackupError::NoBackup(_))));
}

#[tokio::test]
async fn a_damaged_archive_is_told_and_keeps_nothing_out() {
    let place = Place::new().await;
    let (gone, damaged) = (place.install("one").await, place.install("two").await);
    place.install("three").await;
    fs::remove_file(gone).unwrap();
    fs::write(damaged, "to").unwrap();
    let made = place.back_up().await;
    assert_eq!((made.copied, made.manifest.not_there.len()), (1, 2));
    let found = crate::administer::check(&place.config("data")).await.unwrap();
    let archives = found.iter().find(|finding| finding.check == "archives").unwrap();
    assert!(archives.finding.contains("is missing") && archives.finding.contains("is damaged"));
    place.restore(&made.folder, "new").await.unwrap();
}

#[tokio::test]
async fn two_backups_do_not_meet_and_halves_are_removed() {
    let place = Place::new().await;
    fs::create_dir_all(place.path("backups/.x.partial")).unwrap();
    let config = place.config("data");
    let first = Backup::begin(&config, &place.path("backups")).await.unwrap();
    let second = Backup::begin(&config, &place.path("backups")).await;
    assert!(matches!(second, Err(BackupError::Busy(_))));
    assert!(!place.path("backups/.x.partial").exists());
    // Interrupted here: nothing appeared.
    drop(first);
    assert!(matches!(
        Restoring::begin(&place.path("backups"), &config).await.map(drop),
        Err(BackupError::NoBackup(_))
    ));
    place.back_up().await;
}

#[test]
fn names_sort_by_time() {
    let at = |micros| name(Timestamp::from_micros(micros));
    assert_eq!(at(1_800_000_000_000_042), "20270115T080000.000042Z");
}

/// Names the folders of a folder of backups, hidden ones too.
fn folders(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("backups")).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn name_of(finished: &Finished) -> String {
    finished.folder.file_name().unwrap().to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_newest_backups_are_kept() {
    let two = Keep::Newest(2.try_into().unwrap());
    let place = Place::new().await;
    place.install("one").await;
    let mut made = Vec::new();
    for _ in 0..4 {
        made.push(place.back_up().await);
    }
    let last = place.back_up_keeping(two).await;
    assert_eq!(last.removed, [&made[0], &made[1], &made[2]].map(|one| one.folder.clone()));
    assert_eq!(last.not_removed, []);
    assert_eq!(folders(&place), [name_of(&made[3]), name_of(&last), "bundles".to_owned()]);
    place.restore(&made[3].folder, "new").await.unwrap();
    place.restore(&place.path("backups"), "newer").await.unwrap();
}

#[tokio::test]
async fn what_is_no_finished_backup_of_the_same_metadb_is_never_removed() {
    let one = Keep::Newest(1.try_into().unwrap());
    let (place, other) = (Place::new().await, Place::new().await);
    // The backup of another MetaDB, under a name as good as ours.
    let theirs = other.back_up().await;
    fs::create_dir(place.path("backups")).unwrap();
    fs::rename(&theirs.folder, place.path("backups").join(name_of(&theirs))).unwrap();
    let mut stays = vec![name_of(&theirs), "bundles".to_owned()];
    // Ours, each spoilt in another way.
    let shorter = |folder: &Path| fs::write(folder.join("metadb.db"), "half").unwrap();
    let noted = |folder: &Path| fs::write(folder.join("why-i-keep-this"), "audit").unwrap();
    let changed = |folder: &Path| fs::write(folder.join("SHA256SUMS"), "").unwrap();
    for spoil in [&shorter as &dyn Fn(&Path), &noted, &changed] {
        let spoilt = place.back_up().await;
        spoil(&spoilt.folder);
        stays.push(name_of(&spoilt));
    }
    let renamed = place.back_up().await;
    fs::rename(&renamed.folder, place.path("backups/before-the-move")).unwrap();
    stays.push("before-the-move".to_owned());
    let linked = place.back_up().await;
    fs::rename(&linked.folder, place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), &linked.folder).unwrap();
    fs::create_dir(place.path("backups/photos")).unwrap();
    stays.push("photos".to_owned());
    let good = place.back_up().await;
    let last = place.back_up_keeping(one).await;
    assert_eq!(last.removed, [good.folder]);
    stays.push(name_of(&last));
    stays.sort();
    assert_eq!(folders(&place), stays);
    assert!(linked.folder.join("manifest.json").is_file());
}
