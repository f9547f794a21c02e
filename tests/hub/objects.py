"""What a repository is made of: contents and commits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Blob:
    """The content of one file: in git itself, or in large file storage (LFS)."""

    data: bytes
    is_lfs: bool = False

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def in_git(self) -> bytes:
        """What git holds of it: all, or a pointer."""
        if not self.is_lfs:
            return self.data
        lines = ["version https://git-lfs.github.com/spec/v1", f"oid sha256:{self.sha256}"]
        return "\n".join([*lines, f"size {len(self.data)}", ""]).encode()

    @cached_property
    def oid(self) -> str:
        return hashlib.sha1(b"blob %d\0%b" % (len(self.in_git), self.in_git)).hexdigest()

    @property
    def etag(self) -> str:
        """What clients name the file by in their caches."""
        return self.sha256 if self.is_lfs else self.oid


@dataclass(frozen=True, eq=False)
class Commit:
    """A snapshot of all files, and how it came about."""

    files: Mapping[str, Blob]
    title: str
    message: str
    author: str
    date: str
    parent: Commit | None = None

    @cached_property
    def id(self) -> str:
        parent = self.parent and self.parent.id
        facts = (self.tree_oid(""), parent, self.title, self.message, self.author, self.date)
        return hashlib.sha1(repr(facts).encode()).hexdigest()

    @property
    def folders(self) -> set[str]:
        """The paths of all folders below the root."""
        parts = [path.split("/") for path in self.files]
        return {"/".join(part[:depth]) for part in parts for depth in range(1, len(part))}

    def below(self, folder: str) -> dict[str, Blob]:
        """The files anywhere in a folder; "" is the root."""
        prefix = folder and folder + "/"
        return {path: blob for path, blob in self.files.items() if path.startswith(prefix)}

    def tree_oid(self, folder: str) -> str:
        entries = [(path, blob.oid) for path, blob in self.below(folder).items()]
        return hashlib.sha1(repr(entries).encode()).hexdigest()

    def oid_at(self, path: str) -> str | None:
        """The oid of a file or folder, or None where there is neither."""
        if path in self.files:
            return self.files[path].oid
        return self.tree_oid(path) if self.below(path) else None

    def history(self) -> list[Commit]:
        """This commit and all before it, the latest first."""
        commits = [self]
        while (parent := commits[-1].parent) is not None:
            commits.append(parent)
        return commits

    def last_change(self, path: str) -> Commit:
        """The commit that gave a file or folder its content."""
        change = self
        while change.parent is not None and change.parent.oid_at(path) == self.oid_at(path):
            change = change.parent
        return change
