"""The gallery: pictures that were made, searched, rated, put on boards, thrown away and brought back; on the page, "Library". No torch."""
