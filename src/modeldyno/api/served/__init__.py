"""What a server opens: bundles, pipelines, a repository, worker processes."""
