"""API keys in words."""

from modeldyno.records.security import Key, KeyList, NewKey


def format_new_key(made: NewKey, *, file: str) -> str:
    """A key that was just made, with its secret."""
    key = made.key
    return (
        f"{made.secret}\n"
        f"  shown this once; send it as 'Authorization: Bearer KEY' or 'X-API-Key: KEY'\n"
        f"  id      {key.id}   {key.name}\n"
        f"  allows  {_scopes(key)}\n"
        f"  limits  {_limits(key)}\n"
        f"  good    {'for ever' if key.expires_at is None else f'until {key.expires_at}'}\n"
        f"next  dyno serve BUNDLE --keys {file}"
    )


def format_keys(listed: KeyList, *, now: str) -> str:
    """One line a key.

    Args:
        listed: the keys.
        now: wall time, UTC, as in the records.
    """
    if not listed.keys:
        return "no keys"
    rows = [("id", "name", "state", "allows", "limits", "rows today")]
    rows += [
        (key.id, key.name, _state(key, now), _scopes(key), _limits(key), f"{key.rows_today:,}") for key in listed.keys
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _state(key: Key, now: str) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at}"
    if key.expires_at is None:
        return "good"
    # Both are UTC in one format, so that their order as text is their order in time.
    return f"expired {key.expires_at}" if key.expires_at <= now else f"good until {key.expires_at}"


def _scopes(key: Key) -> str:
    return "; ".join(scope.text for scope in key.scopes)


def _limits(key: Key) -> str:
    parts = []
    if key.rows_per_s is not None:
        parts.append(f"{key.rows_per_s:g} rows/s, {key.burst_rows:,} at once")
    if key.rows_per_day is not None:
        parts.append(f"{key.rows_per_day:,} rows a day")
    return ", ".join(parts) or "none"
