"""A repository: its commits, the names that point to them, its discussions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .messages import HubError
from .objects import Blob, Commit

LFS_PATTERNS = ("*.arrow", "*.bin", "*.npy", "*.parquet", "*.pt", "*.safetensors", "*.wav", "*.zip")
"""What is kept in large file storage whatever its size."""

_ATTRIBUTES = "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LFS_PATTERNS)


def now() -> str:
    """The time in the form that clients expect."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Discussion:
    """A discussion or a pull request, whose commits are at refs/pr/N."""

    num: int
    title: str
    author: str
    is_pull_request: bool
    base: str
    status: str = "open"
    created: str = field(default_factory=now)
    events: list[dict[str, object]] = field(default_factory=list)
    merged_as: str | None = None

    @property
    def ref(self) -> str:
        return f"refs/pr/{self.num}"


class Repository:
    """A model, dataset or space: `type` is one of these words, `id` its "owner/name"."""

    def __init__(self, type: str, id: str, private: bool = False) -> None:
        self.type, self.id, self.private = type, id, private
        self.refs: dict[str, Commit] = {}
        self.commits: dict[str, Commit] = {}
        self.discussions: dict[int, Discussion] = {}
        self.large_files: dict[str, Blob] = {}
        self.parts: dict[tuple[str, int], bytes] = {}
        self.created = now()
        self.commit("refs/heads/main", {".gitattributes": Blob(_ATTRIBUTES.encode())})

    @property
    def owner(self) -> str:
        return self.id.split("/")[0]

    @property
    def url_path(self) -> str:
        """Where it lies below the endpoint."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def commit(
        self,
        ref: str,
        files: Mapping[str, Blob],
        *,
        title: str = "initial commit",
        message: str = "",
        author: str | None = None,
    ) -> Commit:
        """Commits a whole new set of files to a branch or pull request."""
        author = author or self.owner
        files = dict(sorted(files.items()))
        commit = Commit(files, title, message, author, now(), parent=self.refs.get(ref))
        self.refs[ref] = self.commits[commit.id] = commit
        for blob in files.values():
            if blob.is_lfs:
                self.large_files[blob.sha256] = blob
        return commit

    def ref(self, revision: str) -> str | None:
        """The full name of a branch, tag or pull request."""
        names = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        return next((name for name in names if name in self.refs), None)

    def at(self, revision: str) -> Commit:
        """The commit that a branch, tag, pull request or (short) commit id means."""
        if (ref := self.ref(revision)) is not None:
            return self.refs[ref]
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            matching = [commit for id, commit in self.commits.items() if id.startswith(revision)]
            if len(matching) == 1:
                return matching[0]
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def writable_ref(self, revision: str) -> str:
        """The branch or pull request that a commit may go to."""
        ref = self.ref(revision)
        if ref is None or ref.startswith("refs/tags/"):
            message = f"Invalid rev id: {revision} is no branch"
            raise HubError(404, message, "RevisionNotFound")
        return ref

    def discuss(self, title: str, author: str, base: str | None) -> Discussion:
        """Opens a discussion, or a pull request towards the branch `base`."""
        num = len(self.discussions) + 1
        discussion = Discussion(num, title, author, base is not None, base or "")
        self.discussions[num] = discussion
        if base is not None:
            self.refs[discussion.ref] = self.refs[base]
        return discussion

    def conflicts(self, pull: Discussion) -> list[str]:
        """The files that a pull request and its base changed in different ways."""
        origin, ours, theirs = self._three_ways(pull)
        paths = {*origin, *ours, *theirs}
        sides = {path: (origin.get(path), ours.get(path), theirs.get(path)) for path in paths}
        return sorted(path for path, (o, a, b) in sides.items() if o != a and o != b and a != b)

    def merge(self, pull: Discussion, author: str) -> Commit:
        """Puts a pull request's changes on its base."""
        origin, ours, theirs = self._three_ways(pull)
        changed = {path: blob for path, blob in theirs.items() if origin.get(path) != blob}
        kept = {path: blob for path, blob in ours.items() if path in theirs or path not in origin}
        title = f"{pull.title} (#{pull.num})"
        return self.commit(pull.base, {**kept, **changed}, title=title, author=author)

    def _three_ways(self, pull: Discussion) -> tuple[Mapping[str, Blob], ...]:
        ours, theirs = self.refs[pull.base], self.refs[pull.ref]
        before = ours.history()
        origin = next(commit for commit in theirs.history() if commit in before)
        return origin.files, ours.files, theirs.files
