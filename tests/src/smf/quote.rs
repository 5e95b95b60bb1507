//! How svcprop and method tokens escape a value: a backslash before some characters, and nothing else.

/// Escapes a value as svcprop prints it. `$ * ? [ ] # ~ ! { } =` stay as they are.
pub fn for_shell(value: &str) -> String {
    if value.is_empty() { "\"\"".into() } else { escaped(value) }
}

/// The same without the special form of an empty value: what a method token becomes.
pub fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if ";&()|^<>\n \t\\\"'`".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_documented_characters_are_escaped() {
        assert_eq!(for_shell("a;b&c(d)e|f^g<h>i j\tk\\l\"m'n`o"), r#"a\;b\&c\(d\)e\|f\^g\<h\>i\ j\	k\\l\"m\'n\`o"#);
        assert_eq!(for_shell("$*?[]#~!{}="), "$*?[]#~!{}=");
        assert_eq!(for_shell("one\ntwo"), "one\\\ntwo");
        assert_eq!(for_shell(""), "\"\"");
        assert_eq!(escaped(""), "");
    }
}
