"""IRC for tests: servers of others (ngIRCd, InspIRCd) as processes, and a user on a raw socket."""
