//! Lines of `/etc/passwd` and `/etc/user_attr`: found, added, replaced and taken out. Reads and writes no files.

/// The lowest number of an ordinary user.
const FIRST_UID: u32 = 100;
const LAST_UID: u32 = 59_999;

/// A line of passwd(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub comment: String,
    pub home: String,
    pub shell: String,
}

impl Account {
    pub fn parse(line: &str) -> Option<Account> {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, comment, home, shell] = fields[..] else { return None };
        let text = str::to_string;
        Some(Account {
            name: text(name),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            comment: text(comment),
            home: text(home),
            shell: text(shell),
        })
    }

    pub fn line(&self) -> String {
        let Account { name, uid, gid, comment, home, shell } = self;
        format!("{name}:x:{uid}:{gid}:{comment}:{home}:{shell}")
    }
}

pub fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().filter_map(Account::parse).find(|account| account.name == name)
}

/// The number after the highest that an ordinary user has.
pub fn next_uid(passwd: &str) -> Option<u32> {
    let taken = passwd.lines().filter_map(Account::parse).map(|account| account.uid);
    let next = taken.filter(|uid| (FIRST_UID..=LAST_UID).contains(uid)).max().map_or(FIRST_UID, |uid| uid + 1);
    (next <= LAST_UID).then_some(next)
}

/// The number of a group that is given by its name or its number.
pub fn gid(group: &str, wanted: &str) -> Option<u32> {
    let mut entries = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = entries.find(|fields| fields.first() == Some(&wanted) || fields.get(2) == Some(&wanted))?;
    found.get(2)?.parse().ok()
}

/// The database without the lines of this name.
pub fn without(database: &str, name: &str) -> String {
    let others = database.lines().filter(|line| line.split(':').next() != Some(name));
    others.map(|line| format!("{line}\n")).collect()
}

/// `user_attr` after an attribute of a user was set: to nothing takes it out, and a line that says nothing goes.
pub fn with_attribute(user_attr: &str, name: &str, key: &str, value: &str) -> String {
    let line = user_attr.lines().find(|line| line.split(':').next() == Some(name));
    let old = line.and_then(|line| line.splitn(5, ':').nth(4)).unwrap_or_default();
    let others = old.split(';').filter(|a| !a.is_empty() && a.split('=').next() != Some(key));
    let mut attributes: Vec<String> = others.map(str::to_string).collect();
    if !value.is_empty() {
        attributes.push(format!("{key}={value}"));
    }
    let rest = without(user_attr, name);
    if attributes.is_empty() { rest } else { format!("{rest}{name}::::{}\n", attributes.join(";")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_with_all_its_fields() {
        let passwd = "root:x:0:0:Super-User:/root:/bin/sh\nann:x:101:10:Ann:/export/home/ann:/bin/sh\n";
        let ann = find(passwd, "ann").unwrap();
        assert_eq!((ann.uid, ann.gid, ann.home.as_str()), (101, 10, "/export/home/ann"));
        assert_eq!(ann.line(), passwd.lines().nth(1).unwrap());
        assert_eq!((next_uid(passwd), next_uid("")), (Some(102), Some(100)));
        assert_eq!(find(passwd, "an"), None);
    }

    #[test]
    fn groups_go_by_name_or_number() {
        assert_eq!(gid("root::0:\nstaff::10:\n", "staff"), Some(10));
        assert_eq!(gid("root::0:\nstaff::10:\n", "10"), Some(10));
        assert_eq!(gid("root::0:\n", "staff"), None);
    }

    #[test]
    fn an_attribute_is_set_in_place_of_the_old_one_and_the_others_stay() {
        let before = "root::::auths=solaris.*\nann::::auths=a.b;profiles=X\n";
        let after = with_attribute(before, "ann", "profiles", "Y,Z");
        assert_eq!(after, "root::::auths=solaris.*\nann::::auths=a.b;profiles=Y,Z\n");
        let none = with_attribute(&with_attribute(&after, "ann", "profiles", ""), "ann", "auths", "");
        assert_eq!(none, "root::::auths=solaris.*\n");
    }
}
