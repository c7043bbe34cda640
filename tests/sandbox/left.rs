//! What was written can be listed, and nothing else is.

use jostle::run::sandbox::Sandbox;
use jostle::trial::{Change, Leftover, LeftoverKind};

use super::stage::{Project, as_everybody, says};

fn listed(project: &Project, sandbox: &Sandbox) -> Vec<(String, Change, LeftoverKind, u64)> {
    let short = |left: Leftover| {
        let path = left.path.strip_prefix(project.path()).expect("a path of the project");
        (path.display().to_string(), left.change, left.kind, left.size)
    };
    sandbox.leftovers(project.path()).expect("leftovers").into_iter().map(short).collect()
}

fn expected(list: &[(&str, Change, LeftoverKind, u64)]) -> Vec<(String, Change, LeftoverKind, u64)> {
    list.iter().map(|&(path, change, kind, size)| (path.to_owned(), change, kind, size)).collect()
}

const WRITE: &str = "echo abc > data/new; echo longer > two; rm data/one; ln -s /nowhere link; \
    mkdir -p deep/er; mkfifo deep/er/pipe";

#[test]
fn what_is_created_changed_and_removed_is_told_from_what_is_only_opened() {
    as_everybody("left::what_is_created_changed_and_removed_is_told_from_what_is_only_opened", || {
        let all = expected(&[
            ("data/new", Change::Created, LeftoverKind::File, 4),
            ("data/one", Change::Removed, LeftoverKind::File, 1),
            ("deep", Change::Created, LeftoverKind::Folder, 0),
            ("deep/er", Change::Created, LeftoverKind::Folder, 0),
            ("deep/er/pipe", Change::Created, LeftoverKind::Pipe, 0),
            ("link", Change::Created, LeftoverKind::Link, 8),
            ("two", Change::Changed, LeftoverKind::File, 7),
        ]);
        let project = Project::new();
        let top = project.top();
        assert_eq!(listed(&project, &top), []);
        says(&top, project.path(), "cat two; : >> two; mkdir gone; rmdir gone; echo > gone; rm gone");
        assert_eq!(listed(&project, &top), []);
        says(&top, project.path(), WRITE);
        assert_eq!(listed(&project, &top), all);
        top.stop();
        assert_eq!(listed(&project, &top), all, "after its end too");
        assert_eq!(listed(&project, project.base.sandbox()), []);
        says(project.base.sandbox(), project.path(), WRITE);
        assert_eq!(listed(&project, project.base.sandbox()), all);
        assert_eq!(listed(&project, &project.top()), [], "a layer on top starts with it");
    });
}

#[test]
fn folders_that_are_removed_or_replaced_are_understood() {
    as_everybody("left::folders_that_are_removed_or_replaced_are_understood", || {
        let project = Project::new();
        let top = project.top();
        says(&top, project.path(), "rm -r data; mkdir data; echo 2 > data/other; chmod 700 data");
        let mut replaced = expected(&[
            ("data/one", Change::Removed, LeftoverKind::File, 1),
            ("data/other", Change::Created, LeftoverKind::File, 2),
        ]);
        let found: Vec<_> = listed(&project, &top).into_iter().filter(|(path, ..)| path != "data").collect();
        assert_eq!(found, replaced);
        let below = top.leftovers(&project.path().join("data")).expect("leftovers");
        assert!(below.iter().all(|left| left.path.starts_with(project.path().join("data"))), "{below:?}");
        assert!(below.len() >= 2, "{below:?}");
        says(&top, project.path(), "rm -r data; echo file > data");
        replaced = expected(&[("data", Change::Changed, LeftoverKind::File, 5)]);
        assert_eq!(listed(&project, &top), replaced);
        says(&top, project.path(), "rm data");
        replaced = expected(&[("data", Change::Removed, LeftoverKind::Folder, 0)]);
        assert_eq!(listed(&project, &top), replaced);
        project.is_whole();
    });
}

#[test]
fn a_layer_is_compared_with_the_base_and_not_with_the_host() {
    as_everybody("left::a_layer_is_compared_with_the_base_and_not_with_the_host", || {
        let project = Project::new();
        says(
            project.base.sandbox(),
            project.path(),
            "rm data/one; echo base > made; rm -r data; mkdir data; echo b > data/b",
        );
        let top = project.top();
        says(&top, project.path(), "echo again > data/one; echo top > made; rm data/b");
        let all = [
            ("data/b", Change::Removed, LeftoverKind::File, 2),
            ("data/one", Change::Created, LeftoverKind::File, 6),
            ("made", Change::Changed, LeftoverKind::File, 4),
        ];
        assert_eq!(listed(&project, &top), expected(&all));
    });
}

#[test]
fn what_is_left_in_tmp_is_listed_as_well() {
    as_everybody("left::what_is_left_in_tmp_is_listed_as_well", || {
        let project = Project::new();
        let top = project.top();
        says(&top, project.path(), "echo abc > /tmp/jostle-left; echo d > two");
        let left = top.leftovers("/tmp".as_ref()).expect("leftovers");
        let mut paths: Vec<_> = left.iter().map(|left| left.path.clone()).collect();
        paths.sort();
        let mut wanted = vec!["/tmp/jostle-left".into(), project.path().join("two")];
        wanted.sort();
        assert_eq!(paths, wanted);
    });
}

#[test]
fn a_renamed_folder_is_one_removed_and_one_created() {
    as_everybody("left::a_renamed_folder_is_one_removed_and_one_created", || {
        let project = Project::new();
        let top = project.top();
        let rename = "python3 -c 'import os; os.rename(\"data\", \"moved\")' 2>&1 | tail -n 1";
        let said = says(&top, project.path(), rename);
        if rustix::process::geteuid().is_root() {
            assert_eq!(said, "");
        } else {
            assert!(said.contains("Invalid cross-device link"), "{said}");
            says(&top, project.path(), "mv data moved");
        }
        assert_eq!(says(&top, project.path(), "cat moved/one; ls"), "1moved\ntwo");
        let left: Vec<_> =
            listed(&project, &top).into_iter().filter(|(path, ..)| path != "moved/one").collect();
        let all = [
            ("data", Change::Removed, LeftoverKind::Folder, 0),
            ("moved", Change::Created, LeftoverKind::Folder, 0),
        ];
        assert_eq!(left, expected(&all));
        project.is_whole();
    });
}
