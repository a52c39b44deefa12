//! Records a file of provenance.

use niassa_api::files::CreateFile;
use niassa_metadb::Access;
use niassa_metadb::files::NewFile;
use niassa_metadb::idempotency::OnceKey;
use niassa_model::accession::Accession;

use super::claim::check_number;
use super::create_metadata::made;
use super::findings::Findings;
use crate::app::App;
use crate::error::{Failed, done};

/// Records a file. Whether it is there only its own machine could tell.
pub(crate) async fn record_file(
    app: &App,
    access: &Access,
    request: CreateFile,
    once: Option<OnceKey>,
) -> Result<Accession, Failed> {
    check_number(request.parents.len())?;
    let mut findings = Findings::default();
    let file = checked(request, &mut findings);
    findings.settle()?;
    made(done(app.metadb.create_file(access, &file, once.as_ref()).await?)?)
}

/// Looks at a file's values, and returns them as they are stored.
pub(super) fn checked(file: CreateFile, findings: &mut Findings) -> NewFile {
    findings.line("the path", &file.path);
    if !file.path.starts_with('/') && !is_url(&file.path) {
        findings.add(format!("{} is neither an absolute path nor a URL", file.path));
    }
    findings.line("the meta-type", &file.meta_type);
    if file.size.is_some_and(|size| size < 0) {
        findings.add("the size is negative".to_owned());
    }
    let mut digest = |name: &str, digest: Option<String>, digits: usize| {
        let digest = digest?.to_ascii_lowercase();
        if digest.len() != digits || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            findings.add(format!("{name} is not {digits} hexadecimal digits"));
        }
        Some(digest)
    };
    let (sha256, md5) = (digest("sha256", file.sha256, 64), digest("md5", file.md5, 32));
    NewFile {
        path: file.path,
        meta_type: file.meta_type,
        size: file.size,
        sha256,
        md5,
        parents: file.parents,
    }
}

fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(fits)
        && !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(path: &str, size: i64, md5: &str) -> usize {
        let file = CreateFile {
            path: path.to_owned(),
            meta_type: "text/plain".to_owned(),
            size: Some(size),
            sha256: Some("A".repeat(64)),
            md5: Some(md5.to_owned()),
            parents: Vec::new(),
        };
        let mut findings = Findings::default();
        let file = checked(file, &mut findings);
        assert_eq!(file.sha256, Some("a".repeat(64)));
        findings.settle().map_or_else(|failed| failed.0.errors.len(), |()| 0)
    }

    #[test]
    fn paths_are_absolute_or_urls() {
        let md5 = "0".repeat(32);
        assert_eq!(errors("/data/a b.txt", 0, &md5), 0);
        assert_eq!(errors("s3://bucket/a", 1, &md5), 0);
        for path in ["data/a", "://x", "1x://y", "s3://", "C:\\x"] {
            assert_eq!(errors(path, 1, &md5), 1, "{path}");
        }
        assert_eq!(errors("data", -1, "g"), 3);
    }
}
