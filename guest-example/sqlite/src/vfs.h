// SQLite's files on mappings of iommap, under the name `iommap`, and the default.

#ifndef VFS_H
#define VFS_H

// What went wrong last with a file, in words, or NULL.
const char *mapped_vfs_problem(void);

// SQLite calls it once.
int mapped_vfs_register(const char *unused);

#endif
