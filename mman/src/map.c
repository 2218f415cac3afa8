// mmap(2) and munmap(2).

#include "host.h"
#include "window.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// What is asked for. `length` is whole pages.
typedef struct {
    uintptr_t at; // where it has to be, or 0
    size_t length;
    int prot;
    bool shared;
    bool populate;
    bool replace;
    int fd;
    uint64_t offset;
    uint64_t inode;
    uint64_t size; // of the file
} wish;

static bool is_written(const wish *this) {
    return this->shared && (this->prot & PROT_WRITE) != 0;
}

// How many of its bytes the file has.
static size_t backed(const wish *this) {
    if (this->size <= this->offset) return 0;
    uint64_t left = this->size - this->offset;
    return left < this->length ? (size_t)left : this->length;
}

// Do the pages of a range show all that is left of a window, so that it goes with them?
static bool goes(const window *this, uintptr_t start, uintptr_t end) {
    size_t inside = 0;
    for (size_t i = mm_area_at(start); i < mm_area_count && mm_areas[i].start < end; i++) {
        if (mm_areas[i].kind != SHOWN || mm_areas[i].window != this) continue;
        uintptr_t from = mm_areas[i].start > start ? mm_areas[i].start : start;
        uintptr_t to = mm_areas[i].end < end ? mm_areas[i].end : end;
        inside += to - from;
    }
    return inside == this->mapped;
}

// Makes a range free for something else, but for what is mapped there. Of a window that would have
// to give a part of its region away the rest becomes a copy; ENOTSUP: stores into it reach the
// file.
static int make_replaceable(const wish *this) {
    uintptr_t end = this->at + this->length;
    if (!mm_area_owned(this->at, end)) return ENOMEM;
    size_t first = mm_area_at(this->at);
    for (size_t i = first; i < mm_area_count && mm_areas[i].start < end; i++) {
        if (!this->replace) return EEXIST;
        const window *of = mm_areas[i].window;
        bool is_window = mm_areas[i].kind == HELD || mm_areas[i].kind == SHOWN;
        if (is_window && (of == NULL || (of->written && !goes(of, this->at, end)))) return ENOTSUP;
    }
    for (size_t i = first; i < mm_area_count && mm_areas[i].start < end; i++) {
        window *of = mm_areas[i].window;
        if (of == NULL || goes(of, this->at, end)) continue;
        int error = mm_window_copy(of);
        if (error != 0) return error;
        i = mm_area_at(this->at) - 1;
    }
    return 0;
}

// Is the page behind it free for a token, or does it become so?
static bool has_token_room(const wish *this) {
    uintptr_t end = this->at + this->length;
    if (!mm_area_owned(end, end + PAGE)) return false;
    size_t i = mm_area_at(end);
    if (i == mm_area_count || mm_areas[i].start >= end + PAGE) return true;
    if (mm_areas[i].kind == MEMORY) return mm_areas[i].prot == PROT_NONE;
    return mm_areas[i].kind == HELD && mm_areas[i].window != NULL &&
           goes(mm_areas[i].window, this->at, end);
}

static void unmap(uintptr_t start, uintptr_t end) {
    mm_area_cut(start);
    mm_area_cut(end);
    for (size_t i = mm_area_at(start); i < mm_area_count && mm_areas[i].start < end;) {
        if (mm_areas[i].kind == MEMORY || mm_areas[i].kind == COPY) {
            mm_area_remove(i);
            continue;
        }
        mm_areas[i].reserved = false;
        if (mm_areas[i].kind == SHOWN) {
            window *of = mm_areas[i].window;
            of->mapped -= mm_areas[i].end - mm_areas[i].start;
            mm_areas[i].kind = HELD;
            if (of->mapped == 0) {
                mm_window_close(of);
                i = mm_area_at(start);
                continue;
            }
        }
        i++;
    }
}

// Is there a page of a window that the host could not take out of memory, or any other area?
static bool is_taken(uintptr_t start, uintptr_t end) {
    size_t i = mm_area_at(start);
    return i < mm_area_count && mm_areas[i].start < end;
}

// Does the page for a token still show a file?
static bool is_stuck(uintptr_t token) {
    size_t i = mm_area_at(token);
    bool there = i < mm_area_count && mm_areas[i].start < token + PAGE;
    return there && mm_areas[i].kind == HELD && mm_areas[i].window == NULL;
}

// Pages for a wish and `more` bytes behind it, with no area in the wish's. Returns 0 if there are
// none. `*fresh`: see `mm_area_find`.
static uintptr_t place(const wish *this, size_t more, uintptr_t *fresh) {
    if (this->at == 0) return mm_area_find(this->length + more, fresh);
    uintptr_t end = this->at + this->length;
    unmap(this->at, end);
    // Stores there would reach a file.
    if (is_taken(this->at, end) || (more > 0 && is_stuck(end))) return 0;
    *fresh = this->at + this->length + more;
    return this->at;
}

static void clear(uintptr_t from, uintptr_t end, uintptr_t fresh) {
    if (end > fresh) end = fresh;
    if (from < end) memset((void *)from, 0, end - from);
}

static int map_memory(const wish *this, void **mapped) {
    uintptr_t fresh, start = place(this, 0, &fresh);
    if (start == 0) return ENOMEM;
    uintptr_t end = start + this->length;
    clear(start, end, fresh);
    mm_area_add((area){
        .start = start, .end = end, .kind = MEMORY, .prot = this->prot, .shared = this->shared});
    *mapped = (void *)start;
    return 0;
}

// What MAP_PRIVATE may be by POSIX, and what all maps are that are only read where there are no
// windows.
static int map_copy(const wish *this, void **mapped) {
    uintptr_t fresh, start = place(this, 0, &fresh);
    if (start == 0) return ENOMEM;
    uintptr_t at = start, end = start + this->length;
    uint64_t offset = this->offset;
    while (at < end) {
        ssize_t read = pread(this->fd, (void *)at, end - at, (off_t)offset);
        if (read < 0 && errno == EINTR) continue;
        if (read < 0) return errno;
        if (read == 0) break;
        at += (size_t)read;
        offset += (size_t)read;
    }
    clear(at, end, fresh);
    mm_area_add((area){
        .start = start, .end = end, .kind = COPY, .prot = this->prot, .shared = this->shared});
    *mapped = (void *)start;
    return 0;
}

// The file is the window's afterwards, if it is written to; otherwise the caller's.
static int map_window(const wish *this, int32_t file, void **mapped) {
    uintptr_t fresh, start = place(this, PAGE, &fresh);
    if (start == 0) return ENOMEM;
    uintptr_t end = start + this->length;
    size_t shown = backed(this);
    // Behind the file's end, where the host puts no pages.
    clear(start + shown / PAGE * PAGE, end + PAGE, fresh);
    bool reserved = false;
    mm_area_cut(end + PAGE);
    for (size_t i = mm_area_at(end); i < mm_area_count && mm_areas[i].start < end + PAGE;) {
        reserved = true;
        mm_area_remove(i);
    }
    window *of;
    source from = {file, this->inode, this->offset, shown, is_written(this), this->populate};
    int error = mm_window_open(&from, start, end + PAGE, &of);
    if (error != 0) {
        if (reserved) mm_area_add((area){.start = end, .end = end + PAGE, .kind = MEMORY});
        return error;
    }
    of->mapped = this->length;
    mm_area_add((area){.start = start,
                       .end = end,
                       .kind = SHOWN,
                       .prot = this->prot,
                       .shared = this->shared,
                       .window = of});
    mm_area_add(
        (area){.start = end, .end = end + PAGE, .kind = HELD, .reserved = reserved, .window = of});
    *mapped = (void *)start;
    return 0;
}

static int map_file(wish *this, void **mapped) {
    bool written = is_written(this);
    int32_t file;
    int error = mm_host_open_file(this->inode, written, false, &file, &this->size);
    if (error == 0 && this->at != 0 && !has_token_room(this)) {
        mm_host_close_file(file);
        error = ENOTSUP;
    }
    bool opened = error == 0;
    // Behind the file's last page a map that is shared has nothing to share.
    if (this->shared && (backed(this) + PAGE - 1) / PAGE * PAGE < this->length) {
        if (opened) mm_host_close_file(file);
        return error == 0 || !written ? ENXIO : error;
    }
    if (opened && backed(this) > 0) {
        error = map_window(this, file, mapped);
        if (error == 0) return 0;
    }
    if (opened) mm_host_close_file(file);
    // Whether there are windows is not what the program asked: it is told that this file has none.
    // What the file's mode allows was looked at before: it is the host's user who does not.
    if (written) return error == ENOENT ? ENODEV : error == EACCES ? EPERM : error;
    return map_copy(this, mapped);
}

// What the program may do with the file that it has open.
static int check_file(wish *this, off_t offset) {
    struct stat stat;
    if (fstat(this->fd, &stat) != 0) return errno;
    int mode = fcntl(this->fd, F_GETFL);
    if (mode < 0) return errno;
    if (!S_ISREG(stat.st_mode)) return ENODEV;
    mode &= O_ACCMODE;
    if (mode != O_RDONLY && mode != O_RDWR) return EACCES;
    if (is_written(this) && mode != O_RDWR) return EACCES;
    if (offset % (off_t)PAGE != 0) return EINVAL;
    if (offset < 0 || offset > LLONG_MAX - (off_t)this->length) return EOVERFLOW;
    this->offset = (uint64_t)offset;
    this->inode = stat.st_ino;
    this->size = (uint64_t)stat.st_size;
    return 0;
}

static int map(void *address, size_t length, int prot, int flags, int fd, off_t offset,
               void **mapped) {
    int type = flags & MAP_TYPE;
    if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return EINVAL;
    int known = MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_LOCKED |
                MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_FIXED_NOREPLACE;
    if (type == MAP_SHARED_VALIDATE && (flags & ~known) != 0) return EOPNOTSUPP;
    if ((prot & PROT_EXEC) != 0) return ENOTSUP;
    if (length == 0 || (prot & ~(PROT_READ | PROT_WRITE)) != 0) return EINVAL;
    // With room for a token, and so that no sum of an address and a length overflows.
    if (length > (size_t)INT32_MAX * 2 - 3 * PAGE) return ENOMEM;
    wish this = {
        .length = (length + PAGE - 1) / PAGE * PAGE,
        .prot = prot,
        .shared = type != MAP_PRIVATE,
        .populate = (flags & MAP_POPULATE) != 0,
        .replace = (flags & MAP_FIXED_NOREPLACE) == 0,
        .fd = fd,
    };
    if ((flags & MAP_ANONYMOUS) == 0) {
        int error = check_file(&this, offset);
        if (error != 0) return error;
    }
    if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
        this.at = (uintptr_t)address;
        if (this.at % PAGE != 0 || this.at == 0) return EINVAL;
        if (this.at > SIZE_MAX - PAGE - this.length) return ENOMEM;
        int error = make_replaceable(&this);
        if (error != 0) return error;
    }
    // Two mm_areas that are cut, what is new, the token's page, and that cut.
    if (!mm_area_room(6)) return ENOMEM;
    return (flags & MAP_ANONYMOUS) != 0 ? map_memory(&this, mapped) : map_file(&this, mapped);
}

void *mmap(void *address, size_t length, int prot, int flags, int fd, off_t offset) {
    void *mapped;
    int error = map(address, length, prot, flags, fd, offset, &mapped);
    if (error == 0 && (flags & MAP_LOCKED) != 0 && mlock(mapped, length) != 0) {
        error = errno;
        munmap(mapped, length);
    }
    if (error == 0) return mapped;
    errno = error;
    return MAP_FAILED;
}

int munmap(void *address, size_t length) {
    uintptr_t start, end;
    bool is_range = length > 0 && mm_area_range(address, length, &start, &end);
    if (!is_range || !mm_area_room(2)) {
        errno = is_range ? ENOMEM : EINVAL;
        return -1;
    }
    unmap(start, end);
    return 0;
}
