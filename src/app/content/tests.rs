//! Loading, refusing and keeping sets, on both databases.

use super::*;

const GOOD: &str = r#"schema = 1
[[rule]]
id = "cmd-human"
title = "转人工"
status = "active"
kind = "command"
command = "human"
owner = "中心"
[rule.when]
any = ["转人工", "人工客服", "找真人"]
max_chars = 30
[rule.tests]
match = ["转人工", "我要人工客服", "帮我找真人"]
not_match = [{ text = "人工费怎么算", expect = "none" }]
"#;

fn config(dir: &Path) -> Config {
    let mut config = Config::default();
    config.content.rules_dir = dir.display().to_string();
    config.content.prompts_dir = dir.join("none").display().to_string();
    config
}

/// A folder with the shipped tables and one rule file.
fn folder(rule_file: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temp dir");
    fill(dir.path(), rule_file);
    dir
}

fn fill(dir: &Path, rule_file: &str) {
    for file in shipped_files().iter().filter(|f| !is_rule_file(&f.path)) {
        let path = dir.join(&file.path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, &file.text).expect("written");
    }
    std::fs::write(dir.join("a.toml"), rule_file).expect("written");
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("in range")
}

crate::store_test! {
    async fn a_broken_folder_is_refused_as_a_whole_and_the_last_good_set_stays(db: Db) {
        let dir = folder(GOOD);
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let good = store.load().hash.clone();
        assert_eq!((store.load().origin, store.load().rules.rules().len()), (Origin::Folder, 1));

        std::fs::write(dir.path().join("a.toml"), GOOD.replace("title = \"转人工\"", "title = “转人工”")).unwrap();
        assert!(!store.refresh(&db, at(1)).await.unwrap());
        assert_eq!(store.load().hash, good);
        let status = store.status();
        assert_eq!((status.refused, status.errors.len()), (1, 1), "{:?}", status.errors);
        assert_eq!((status.errors[0].file.as_str(), status.errors[0].line), ("a.toml", 4));

        let restarted = ContentStore::open(&config(dir.path()), &db, at(2)).await.unwrap();
        assert_eq!((restarted.load().origin, restarted.load().rules.rules().len()), (Origin::LastGood, 1));

        std::fs::write(dir.path().join("a.toml"), GOOD.replace("找真人", "找活人")).unwrap();
        assert!(store.refresh(&db, at(3)).await.unwrap());
        assert_ne!(store.load().hash, good);
        assert!(store.status().errors.is_empty());
    }
}

crate::store_test! {
    async fn a_set_whose_own_examples_fail_is_refused_like_any_other_error(db: Db) {
        let dir = folder(GOOD);
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let good = store.load().hash.clone();
        let failing = GOOD.replace("match = [\"转人工\"", "match = [\"我要退税\", \"转人工\"");
        std::fs::write(dir.path().join("a.toml"), &failing).unwrap();
        assert!(!store.refresh(&db, at(1)).await.unwrap());
        let status = store.status();
        let found: Vec<_> = status.errors.iter().map(|e| (e.code, e.file.as_str(), e.line)).collect();
        assert_eq!((found, status.refused), (vec![("E010", "a.toml", 13)], 1));
        assert_eq!(store.load().hash, good);
    }
}

crate::store_test! {
    async fn without_a_good_set_a_rule_that_fails_its_examples_does_not_answer(db: Db) {
        let dir = folder(&GOOD.replace("match = [\"转人工\"", "match = [\"我要退税\", \"转人工\""));
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let content = store.load();
        assert_eq!((content.origin, store.status().errors[0].code), (Origin::Partial, "E010"));
        let input = crate::domain::rules::Input {
            text: "转人工",
            channel: crate::domain::kinds::Channel::Web,
            area: None,
            today: jiff::civil::date(2026, 11, 26),
        };
        assert_eq!(content.rules.decide(&input).command, None);
    }
}

crate::store_test! {
    async fn a_file_in_another_encoding_is_a_finding_and_the_last_good_set_stays(db: Db) {
        let dir = folder(GOOD);
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        // 转人工 in GBK.
        let gbk = [b"schema = 1\n# \xd7\xaa\xc8\xcb\xb9\xa4\n".as_slice(), GOOD.as_bytes()].concat();
        std::fs::write(dir.path().join("a.toml"), &gbk).unwrap();
        assert!(!store.refresh(&db, at(1)).await.unwrap());
        let status = store.status();
        let found: Vec<_> = status.errors.iter().map(|e| (e.code, e.file.as_str(), e.line)).collect();
        assert_eq!((found, status.refused), (vec![("E001", "a.toml", 2)], 1));
        assert!(status.errors[0].message.contains("UTF-8"), "{:?}", status.errors);

        let restarted = ContentStore::open(&config(dir.path()), &db, at(2)).await.unwrap();
        assert_eq!((restarted.load().origin, restarted.status().errors[0].code), (Origin::LastGood, "E001"));
        // A mark in front of the text, as editors of Windows write it, is none of its matter.
        std::fs::write(dir.path().join("a.toml"), format!("\u{feff}{GOOD}")).unwrap();
        store.refresh(&db, at(3)).await.unwrap();
        assert!(store.status().errors.is_empty(), "{:?}", store.status().errors);
    }
}

#[cfg(unix)]
crate::store_test! {
    async fn a_folder_that_is_swapped_behind_a_link_is_noticed(db: Db) {
        let dir = folder(GOOD);
        let data = tempfile::tempdir().expect("temp dir");
        for (version, text) in [("one", GOOD.to_owned()), ("two", GOOD.replace("找真人", "找活人"))] {
            std::fs::create_dir(data.path().join(version)).unwrap();
            std::fs::write(data.path().join(version).join("a.toml"), text).unwrap();
        }
        // As a mounted ConfigMap: the file links into a hidden folder, which is itself a link.
        let current = dir.path().join("..data");
        std::fs::remove_file(dir.path().join("a.toml")).unwrap();
        std::os::unix::fs::symlink(data.path().join("one"), &current).unwrap();
        std::os::unix::fs::symlink(current.join("a.toml"), dir.path().join("a.toml")).unwrap();
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let first = store.load().hash.clone();
        std::fs::remove_file(&current).unwrap();
        std::os::unix::fs::symlink(data.path().join("two"), &current).unwrap();
        assert!(store.refresh(&db, at(1)).await.unwrap());
        assert_ne!(store.load().hash, first);
    }
}

crate::store_test! {
    async fn without_a_last_good_set_the_faulty_rules_are_left_out(db: Db) {
        let dir = folder(GOOD);
        std::fs::write(dir.path().join("b.toml"), "schema = 1\n[[rule]]\nid = “坏”\n").unwrap();
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        assert_eq!((store.load().origin, store.load().rules.rules().len()), (Origin::Partial, 1));
        assert!(!store.status().errors.is_empty());
    }
}

crate::store_test! {
    async fn prompts_are_taken_up_and_refused_like_rules(db: Db) {
        let dir = folder(GOOD);
        let prompts = tempfile::tempdir().expect("temp dir");
        for file in shipped_prompts() {
            std::fs::write(prompts.path().join(file.path.trim_start_matches(PROMPTS)), &file.text).unwrap();
        }
        let mut config = config(dir.path());
        config.content.prompts_dir = prompts.path().display().to_string();
        let store = ContentStore::open(&config, &db, at(0)).await.unwrap();
        let version = |store: &ContentStore| store.load().prompts.of("rewrite").map(|p| p.version.clone());
        assert_eq!(version(&store).as_deref(), Some("1"));

        let path = prompts.path().join("rewrite.md");
        let good = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, good.replace("version = \"1\"", "version = \"12\"")).unwrap();
        assert!(store.refresh(&db, at(1)).await.unwrap());
        assert_eq!(version(&store).as_deref(), Some("12"));

        std::fs::write(&path, good.replace("{{原文|json}}", "{{原文}} ")).unwrap();
        assert!(!store.refresh(&db, at(2)).await.unwrap());
        assert_eq!(version(&store).as_deref(), Some("12"));
        let status = store.status();
        let places: Vec<_> = status.errors.iter().map(|e| (e.code, e.file.as_str())).collect();
        assert_eq!(places, [("P006", "prompts/rewrite.md")]);

        // A restart over the broken folder serves the last good set, prompts included.
        let restarted = ContentStore::open(&config, &db, at(3)).await.unwrap();
        assert_eq!((restarted.load().origin, version(&restarted).as_deref()), (Origin::LastGood, Some("12")));

        let schema = std::fs::read_to_string(prompts.path().join("title.md")).unwrap();
        std::fs::write(prompts.path().join("title.md"), schema.replace("\"type\": \"object\",", "\"type\": object,")).unwrap();
        std::fs::write(&path, &good).unwrap();
        assert!(!store.refresh(&db, at(4)).await.unwrap());
        assert_eq!(store.status().errors.iter().map(|e| e.code).collect::<Vec<_>>(), ["P008"]);
    }
}

#[test]
fn sets_without_prompts_have_the_shipped_ones() {
    let built = build(&shipped_files(), &TimeConfig::default(), at(0), Origin::Shipped, false);
    let content = built.content.expect("the shipped content loads");
    assert_eq!(content.prompts.all().count(), shipped_prompts().len());
}

#[test]
fn the_shipped_content_has_no_errors() {
    let built = build(&shipped_files(), &TimeConfig::default(), at(0), Origin::Shipped, false);
    let errors: Vec<String> =
        built.diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    assert!(built.content.is_some());
}

crate::store_test! {
    async fn the_index_of_titles_is_rebuilt_with_every_swap(db: Db) {
        let dir = folder(GOOD);
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let found = || {
            let filter = crate::domain::retrieval::Filter {
                today: jiff::civil::date(2026, 11, 25), region: Some("350000"), channel: None, drafts: false,
            };
            let hits = store.load().index.search("新招员工多久要参保", &filter, 3);
            hits.iter().any(|hit| &*hit.rule_id == "social-new-hire")
        };
        assert!(!found());
        for file in shipped_files().iter().filter(|file| is_rule_file(&file.path)) {
            let path = dir.path().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &file.text).unwrap();
        }
        std::fs::remove_file(dir.path().join("a.toml")).unwrap();
        assert!(store.refresh(&db, at(1)).await.unwrap(), "{:?}", store.status().errors);
        assert!(found(), "the new title is found at once");
        std::fs::remove_dir_all(dir.path()).unwrap();
        fill(dir.path(), GOOD);
        assert!(store.refresh(&db, at(2)).await.unwrap(), "{:?}", store.status().errors);
        assert!(!found(), "the old one is not any more");
    }
}

crate::store_test! {
    async fn running_cases_find_the_version_of_the_policy_they_came_under(db: Db) {
        let dir = folder(GOOD);
        let store = ContentStore::open(&config(dir.path()), &db, at(0)).await.unwrap();
        let first = store.load().book.profile("fujian").unwrap().clone();
        assert!(store.load().book.former.is_empty());
        let path = dir.path().join("sla/fujian.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("max_times = 1", "max_times = 2", 1)).unwrap();
        assert!(store.refresh(&db, at(1)).await.unwrap());
        let restarted = ContentStore::open(&config(dir.path()), &db, at(2)).await.unwrap();
        for content in [store.load(), restarted.load()] {
            let book = &content.book;
            assert_eq!(book.profile("fujian").map(|profile| profile.extension.max_times), Some(2));
            assert_eq!(book.kept("fujian", &first.version), Some(&first));
            assert_eq!(book.kept("fujian", "unknown"), book.profile("fujian"), "better than none");
        }
    }
}
