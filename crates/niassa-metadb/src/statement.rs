//! Statements as named constants, so that a test can prepare every one of them on both databases.

/// Declares statements: `sql! { /// What it does. NAME = "text"; }`. No SQL stands outside of it.
///
/// Parameters are `$1`, `$2`, ...; only `i64`, text and options of them are bound, always with the
/// same type per parameter.
macro_rules! sql {
    ($($(#[$doc:meta])* $name:ident = $text:expr;)*) => {
        $($(#[$doc])* const $name: &str = $text;)*
        /// Every statement of this module, for the test that prepares them.
        #[cfg(test)]
        pub(crate) const CATALOGUE: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// The condition under which the caller may see an object `o` of the registry.
///
/// `$1` is 1 for an administrator, else 0; `$2` is the caller's account. Statements that use it
/// bind these two first.
macro_rules! visible {
    () => {
        "(cast($1 as bigint) = 1 or o.owner = $2 or exists (select 1 from object_study os \
          join study_reader r on r.study = os.study \
          where os.object = coalesce(o.anchor, o.swid) and r.account = $2))"
    };
}
