//! Archives of ours, and crafted ones.

use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const MANIFEST: &str = "niassa: 1\n";

/// A folder with a small bundle in it.
fn bundle() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("workflow.yaml", MANIFEST),
        ("bin/tool", "#!/bin/sh\n"),
        ("config/b.ini", "b=1\n"),
        ("config/a.ini", "a=1\n"),
        ("config/notes.txt", "no ini\n"),
        ("data/deep/x", "x"),
        (".git/HEAD", "not content"),
    ] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    let executable = fs::Permissions::from_mode(0o700);
    fs::set_permissions(folder.path().join("bin/tool"), executable).expect("it may be executed");
    folder
}

/// Writes an archive of the given entries; a name that ends in `/` is a folder.
fn archive(entries: &[(&str, &[u8])]) -> (TempDir, PathBuf) {
    crafted(|zip| {
        for (name, content) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).expect("an entry");
            zip.write_all(content).expect("its content");
        }
    })
}

fn crafted(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> (TempDir, PathBuf) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut zip);
    let bytes = zip.finish().expect("an archive").into_inner();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.zip");
    fs::write(&path, bytes).expect("a file");
    (folder, path)
}

/// Checks that an archive is refused both ways, and that nothing is left of it.
fn refused(zip: &Path, expected: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join("to");
    let unpacked = unpack(zip, &to).expect_err(expected).to_string();
    assert!(unpacked.contains(expected), "no `{expected}` in `{unpacked}`");
    assert!(!to.exists(), "nothing stays");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "and nothing beside it");
    let read = read(zip).expect_err(expected).to_string();
    assert!(read.contains(expected), "no `{expected}` in `{read}`");
}

#[test]
fn a_bundle_is_packed_and_unpacked() {
    let bundle = bundle();
    let zip = bundle.path().join("own.zip");
    let packed = pack(bundle.path(), &zip).expect("an archive");
    assert_eq!(packed.sha256, sha256(&zip).expect("a digest"));
    assert_eq!(packed.size, fs::metadata(&zip).expect("a file").len());
    let to = bundle.path().join("to");
    unpack(&zip, &to).expect("it is whole");
    assert_eq!(fs::read_to_string(to.join("data/deep/x")).expect("a file"), "x");
    let mode =
        |name: &str| fs::metadata(to.join(name)).expect("a file").permissions().mode() & 0o100;
    assert_eq!((mode("bin/tool"), mode("workflow.yaml")), (0o100, 0));
    assert!(!to.join(".git").exists() && !to.join("own.zip").exists());
    assert!(unpack(&zip, &to).is_err(), "the folder must be new");
    assert!(to.join("workflow.yaml").exists(), "and what is there stays");
}

#[test]
fn the_same_content_makes_the_same_archive() {
    let (one, other) = (bundle(), bundle());
    let zip = tempfile::tempdir().expect("a folder");
    let (first, second) = (zip.path().join("1.zip"), zip.path().join("2.zip"));
    fs::set_permissions(one.path().join("data/deep/x"), fs::Permissions::from_mode(0o600))
        .expect("set");
    fs::create_dir(one.path().join("empty")).expect("a folder");
    let packed = pack(one.path(), &first).expect("an archive");
    assert_eq!(packed, pack(other.path(), &second).expect("an archive"));
    assert_eq!(packed, pack(other.path(), &second).expect("an archive again, over the first"));
    fs::write(other.path().join("data/deep/x"), "y").expect("a file");
    assert_ne!(packed, pack(other.path(), &second).expect("an archive"));
}

#[test]
fn links_stay_in_the_bundle() {
    let bundle = bundle();
    let zip = bundle.path().join("a.zip");
    symlink("deep/x", bundle.path().join("data/link")).expect("a link");
    pack(bundle.path(), &zip).expect("an archive");
    let to = bundle.path().join("to");
    unpack(&zip, &to).expect("it is whole");
    assert!(fs::symlink_metadata(to.join("data/link")).expect("a file").is_file());
    fs::remove_dir_all(&to).expect("removed");
    for target in ["/etc/passwd", "../../x", "nowhere", "deep"] {
        let link = bundle.path().join("data/bad");
        symlink(target, &link).expect("a link");
        assert!(matches!(pack(bundle.path(), &zip), Err(ArchiveError::Link(_))), "{target}");
        fs::remove_file(link).expect("removed");
    }
    let _socket =
        std::os::unix::net::UnixListener::bind(bundle.path().join("s")).expect("a socket");
    assert!(matches!(pack(bundle.path(), &zip), Err(ArchiveError::Kind(name)) if name == "s"));
}

#[test]
fn a_folder_without_a_manifest_is_no_bundle() {
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("a.zip");
    assert!(matches!(pack(folder.path(), &zip), Err(ArchiveError::NoManifest(_))));
    assert!(matches!(read_dir(folder.path()), Err(ArchiveError::NoManifest(_))));
    assert!(matches!(pack(&folder.path().join("no"), &zip), Err(ArchiveError::File { .. })));
    assert!(!zip.exists());
}

#[test]
fn texts_are_read_from_archives_and_folders_alike() {
    let bundle = bundle();
    fs::write(bundle.path().join("config/c.ini"), b"c=\xfc").expect("a file");
    let zip = bundle.path().join("a.zip");
    pack(bundle.path(), &zip).expect("an archive");
    let text = read(&zip).expect("a bundle");
    assert_eq!(text, read_dir(bundle.path()).expect("a bundle"));
    assert_eq!(text.manifest, MANIFEST);
    let config: Vec<(&str, &str)> =
        text.config.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        config,
        [("config/a.ini", "a=1\n"), ("config/b.ini", "b=1\n"), ("config/c.ini", "c=ü")]
    );
    fs::write(bundle.path().join("workflow.yaml"), b"\xff").expect("a file");
    assert!(matches!(read_dir(bundle.path()), Err(ArchiveError::NotText(_))));
}

#[test]
fn one_folder_around_everything_is_left_out() {
    let (_folder, zip) = archive(&[
        ("Hello-1.0/workflow.yaml", b"niassa: 1\n"),
        ("Hello-1.0/config/a.ini", b"a=1"),
        ("__MACOSX/Hello-1.0/._workflow.yaml", b"noise"),
    ]);
    assert_eq!(read(&zip).expect("a bundle").config.len(), 1);
    let to = zip.with_file_name("to");
    unpack(&zip, &to).expect("it is whole");
    assert!(to.join("config/a.ini").is_file() && !to.join("__MACOSX").exists());
    for entries in [
        &[("a/workflow.yaml", b"".as_slice()), ("b/x", b"")][..],
        &[("a/b/workflow.yaml", b"")],
        &[("x", b"")],
        &[],
    ] {
        refused(&archive(entries).1, "no workflow.yaml");
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../evil", "/evil", "a/../../evil", "a\\..\\evil", "a//evil", "./evil", "a\nevil"]
    {
        let (_folder, zip) = archive(&[("workflow.yaml", b""), (name, b"x")]);
        refused(&zip, "names are relative");
    }
}

#[test]
fn links_and_doubles_are_refused() {
    let (_folder, zip) = crafted(|zip| {
        zip.start_file("workflow.yaml", SimpleFileOptions::default()).expect("an entry");
        zip.add_symlink("link", "/etc", SimpleFileOptions::default()).expect("a link");
        zip.start_file("link/passwd", SimpleFileOptions::default()).expect("an entry");
    });
    refused(&zip, "not a regular file");
    let (_folder, zip) = crafted(|zip| {
        zip.start_file("workflow.yaml", SimpleFileOptions::default()).expect("an entry");
        zip.add_directory("a/", SimpleFileOptions::default()).expect("a folder");
        zip.start_file("a", SimpleFileOptions::default()).expect("an entry");
    });
    refused(&zip, "twice");
    // The same name twice cannot be written by a good library; two names are made equal by hand.
    let (_folder, zip) = archive(&[("workflow.yaml", b""), ("aaaa", b"1"), ("bbbb", b"2")]);
    let bytes = fs::read(&zip).expect("an archive");
    let position: Vec<usize> =
        (0..bytes.len() - 4).filter(|at| &bytes[*at..*at + 4] == b"bbbb").collect();
    let mut doubled = bytes;
    for at in position {
        doubled[at..at + 4].copy_from_slice(b"aaaa");
    }
    fs::write(&zip, doubled).expect("an archive");
    refused(&zip, "twice");
    let (_folder, zip) = archive(&[("workflow.yaml", b""), ("a", b"1"), ("a/b", b"2")]);
    let to = zip.with_file_name("to");
    assert!(unpack(&zip, &to).is_err() && !to.exists(), "a file cannot be a folder");
}

#[test]
fn bombs_are_refused_while_they_unfold() {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    let (_folder, zip) = crafted(|zip| {
        zip.start_file("workflow.yaml", options).expect("an entry");
        zip.start_file("zeroes", options).expect("an entry");
        zip.write_all(&vec![0; 64 << 20]).expect("its content");
    });
    assert!(fs::metadata(&zip).expect("a file").len() < 1 << 20);
    refused(&zip, "times its own size");
    // Who lies about the size is believed no more.
    let mut bytes = fs::read(&zip).expect("an archive");
    let size = (64_u32 << 20).to_le_bytes();
    let places: Vec<usize> =
        (0..bytes.len() - 4).filter(|at| bytes[*at..*at + 4] == size).collect();
    for at in places {
        bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
    }
    fs::write(&zip, bytes).expect("an archive");
    assert!(read(&zip).is_err());
}

#[test]
fn too_many_entries_are_refused_before_they_are_listed() {
    let (_folder, zip) = archive(&[("workflow.yaml", b"")]);
    let mut bytes = fs::read(&zip).expect("an archive");
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    bytes[end + 8..end + 12].copy_from_slice(&[0xff; 4]);
    fs::write(&zip, bytes).expect("an archive");
    refused(&zip, "more than 100000 files");
}

#[test]
fn broken_archives_are_refused() {
    let (_folder, zip) = archive(&[("workflow.yaml", b"niassa: 1\n"), ("a", &[7; 3_000])]);
    let whole = fs::read(&zip).expect("an archive");
    for length in (0..whole.len()).step_by(97) {
        fs::write(&zip, &whole[..length]).expect("an archive");
        assert!(read(&zip).is_err(), "cut at {length}");
        assert!(unpack(&zip, &zip.with_file_name("to")).is_err(), "cut at {length}");
    }
    assert!(!zip.with_file_name("to").exists());
    // A flipped bit in the content is found by its checksum.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let (_folder, zip) = crafted(|zip| {
        zip.start_file("workflow.yaml", options).expect("an entry");
        zip.start_file("a", options).expect("an entry");
        zip.write_all(b"content content content").expect("its content");
    });
    let mut bytes = fs::read(&zip).expect("an archive");
    let at = bytes.windows(7).position(|window| window == b"content").expect("it is stored");
    bytes[at] ^= 1;
    fs::write(&zip, bytes).expect("an archive");
    assert!(read(&zip).is_err());
    fs::write(&zip, b"PK\x03\x04 and then nothing").expect("an archive");
    refused(&zip, "read the zip archive");
    assert!(matches!(read(Path::new("/no/such.zip")), Err(ArchiveError::File { .. })));
}

#[test]
fn a_text_that_is_no_text_is_refused() {
    let long = vec![b'#'; niassa_model::limits::INI_BYTES + 1];
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, expected) in
        [("workflow.yaml", "workflow.yaml has more"), ("config/a.ini", "config/a.ini has more")]
    {
        let (_folder, zip) = crafted(|zip| {
            for (entry, content) in [("workflow.yaml", b"".as_slice()), (name, &long)] {
                if entry != name || content.len() > 1 {
                    zip.start_file(entry, options).expect("an entry");
                    zip.write_all(content).expect("its content");
                }
            }
        });
        let error = read(&zip).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (_folder, zip) = archive(&[("workflow.yaml", b"\xff\xfe")]);
    assert!(matches!(read(&zip), Err(ArchiveError::NotText(_))));
}

#[test]
fn texts_have_a_length_together_too() {
    let half = vec![b'#'; niassa_model::limits::INI_BYTES / 2];
    let names = ["config/a.ini", "config/b.ini"];
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let written = |manifest: &[u8]| {
        crafted(|zip| {
            let texts = names.map(|name| (name, half.as_slice()));
            for (entry, content) in [("workflow.yaml", manifest)].into_iter().chain(texts) {
                zip.start_file(entry, options).expect("an entry");
                zip.write_all(content).expect("its content");
            }
        })
    };
    let (folder, zip) = written(b"");
    assert_eq!(read(&zip).expect("exactly as much as may be").config.len(), 2);
    let unpacked = folder.path().join("dir");
    unpack(&zip, &unpacked).expect("it is whole");
    assert_eq!(read_dir(&unpacked).expect("here too").config.len(), 2);
    fs::write(unpacked.join("workflow.yaml"), b"#").expect("a file");
    assert!(matches!(read_dir(&unpacked), Err(ArchiveError::LongTexts)));
    let (_folder, zip) = written(b"#");
    assert!(matches!(read(&zip), Err(ArchiveError::LongTexts)));
}

#[test]
fn a_long_list_of_entries_is_refused_while_it_is_read() {
    // One entry is listed a thousand times and more, each time with the longest comment.
    const LISTED: u16 = 1_100;
    let mut header = b"PK\x01\x02".to_vec();
    header.resize(46, 0);
    header[28..30].copy_from_slice(&13_u16.to_le_bytes());
    header[32..34].copy_from_slice(&u16::MAX.to_le_bytes());
    header.extend_from_slice(b"workflow.yaml");
    header.resize(header.len() + usize::from(u16::MAX), b' ');
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.resize(2_000, 0);
    let start = u32::try_from(bytes.len()).expect("it is short");
    for _ in 0..LISTED {
        bytes.extend_from_slice(&header);
    }
    let length = u32::try_from(bytes.len()).expect("it is short enough") - start;
    let mut end = b"PK\x05\x06".to_vec();
    end.resize(22, 0);
    end[8..10].copy_from_slice(&LISTED.to_le_bytes());
    end[10..12].copy_from_slice(&LISTED.to_le_bytes());
    end[12..16].copy_from_slice(&length.to_le_bytes());
    end[16..20].copy_from_slice(&start.to_le_bytes());
    bytes.extend_from_slice(&end);
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("a.zip");
    fs::write(&zip, bytes).expect("a file");
    refused(&zip, "lists its entries in more than");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(200))]

    #[test]
    fn a_damaged_archive_never_writes_elsewhere(changes in proptest::collection::vec((0usize..600, 0u8..), 1..6)) {
        let (_folder, zip) = archive(&[("workflow.yaml", b"niassa: 1\n"), ("bin/tool", b"tool"), ("config/a.ini", b"a=1")]);
        let mut bytes = fs::read(&zip).expect("an archive");
        for (at, byte) in changes {
            let length = bytes.len();
            bytes[at % length] = byte;
        }
        fs::write(&zip, bytes).expect("an archive");
        let inside = tempfile::tempdir().expect("a folder");
        let to = inside.path().join("to");
        let unpacked = unpack(&zip, &to);
        proptest::prop_assert_eq!(unpacked.is_ok(), to.exists());
        let beside = fs::read_dir(inside.path()).expect("a folder").count();
        proptest::prop_assert!(beside <= 1);
        let _either = read(&zip);
    }
}
