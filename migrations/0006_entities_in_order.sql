-- Pages of changes are read in the order of the index, instead of sorting everything for each page.

create index entities_in_order on entities (application, version, type, id);
drop index entities_by_version;
