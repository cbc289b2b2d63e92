"""One offline HTML file from a record: no scripts needed to read it, no address outside it, all text escaped."""
