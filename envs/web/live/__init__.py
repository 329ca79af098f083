"""The live web: fetching, search engines and recording. The only code of murk's worlds that opens a connection."""
