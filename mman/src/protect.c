// mprotect(2), msync(2), madvise(2), mlock(2) and munlock(2).

#include "host.h"
#include "window.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static int answer(int error) {
    if (error == 0) return 0;
    errno = error;
    return -1;
}

// Is it a range whose every page is mapped? Sets both in any case.
static int mapped(const void *address, size_t length, uintptr_t *start, uintptr_t *end) {
    bool in_memory = mm_area_range(address, length, start, end);
    if ((uintptr_t)address % PAGE != 0) return EINVAL;
    bool there = in_memory && mm_area_all_mapped(*start, *end);
    return there ? 0 : ENOMEM;
}

static bool overlaps(size_t i, uintptr_t end) {
    return i < mm_area_count && mm_areas[i].start < end;
}

// Which part of an area lies in a range, as offsets in its window, and no longer than the file.
static void part_of(const area *of, uintptr_t start, uintptr_t end, size_t *offset,
                    size_t *length) {
    const window *in = of->window;
    uintptr_t from = of->start > start ? of->start : start;
    uintptr_t to = of->end < end ? of->end : end;
    uintptr_t shown = in->start + in->shown;
    if (to > shown) to = shown;
    *offset = from - in->start;
    *length = to > from ? to - from : 0;
}

// Nothing keeps a program from memory that it has. So what would take access away is refused, and
// what gives it is granted, unless stores had to reach a file and could not.
static int may_be(const area *this, int prot) {
    if ((this->prot & ~prot) != 0) return ENOTSUP;
    bool new_writes = (prot & ~this->prot & PROT_WRITE) != 0;
    bool copy = this->kind == COPY || (this->kind == SHOWN && !this->window->written);
    return new_writes && this->shared && copy ? ENOTSUP : 0;
}

int mprotect(void *address, size_t length, int prot) {
    uintptr_t start, end;
    int error = mapped(address, length, &start, &end);
    if (error != 0) return answer(error);
    if ((prot & PROT_EXEC) != 0) return answer(ENOTSUP);
    if ((prot & ~(PROT_READ | PROT_WRITE)) != 0) return answer(EINVAL);
    for (size_t i = mm_area_at(start); overlaps(i, end) && error == 0; i++) {
        error = may_be(&mm_areas[i], prot);
    }
    if (error != 0) return answer(error);
    if (!mm_area_room(2)) return answer(ENOMEM);
    mm_area_cut(start);
    mm_area_cut(end);
    for (size_t i = mm_area_at(start); overlaps(i, end); i++) mm_areas[i].prot = prot;
    return 0;
}

int msync(void *address, size_t length, int flags) {
    if ((flags & ~(MS_ASYNC | MS_SYNC | MS_INVALIDATE)) != 0) return answer(EINVAL);
    if ((flags & MS_ASYNC) != 0 && (flags & MS_SYNC) != 0) return answer(EINVAL);
    uintptr_t start, end;
    int error = mapped(address, length, &start, &end);
    for (size_t i = mm_area_at(start); error == 0 && overlaps(i, end); i++) {
        const window *in = mm_areas[i].window;
        // It is not read again: that would be a promise broken in silence.
        bool old = mm_areas[i].kind == COPY && mm_areas[i].shared && (flags & MS_INVALIDATE) != 0;
        if (old) error = ENOTSUP;
        if (mm_areas[i].kind != SHOWN || !in->written) continue;
        size_t offset, bytes;
        part_of(&mm_areas[i], start, end, &offset, &bytes);
        if (bytes == 0) continue;
        // What was stored there since has reached nothing.
        error = mm_window_lost(in) ? EIO : 0;
        if (error == 0) {
            bool wait = (flags & MS_SYNC) != 0;
            error = mm_host_sync_file(in->file, in->offset + offset, bytes, wait);
        }
    }
    return answer(error);
}

static int read_in(uintptr_t start, uintptr_t end) {
    int error = 0;
    for (size_t i = mm_area_at(start); error == 0 && overlaps(i, end); i++) {
        if (mm_areas[i].kind != SHOWN) continue;
        size_t offset, bytes;
        part_of(&mm_areas[i], start, end, &offset, &bytes);
        if (bytes > 0) error = mm_host_prefetch(mm_areas[i].window->handle, offset, bytes);
    }
    return error;
}

// Makes memory zero, as Linux has it, unless it is shared. What was stored in a private map of a file can't be taken
// back.
static int forget(uintptr_t start, uintptr_t end) {
    for (size_t i = mm_area_at(start); overlaps(i, end); i++) {
        bool stored = (mm_areas[i].prot & PROT_WRITE) != 0 && !mm_areas[i].shared;
        if (mm_areas[i].kind != MEMORY && stored) return EINVAL;
    }
    for (size_t i = mm_area_at(start); overlaps(i, end); i++) {
        if (mm_areas[i].kind != MEMORY || mm_areas[i].shared) continue;
        uintptr_t from = mm_areas[i].start > start ? mm_areas[i].start : start;
        uintptr_t to = mm_areas[i].end < end ? mm_areas[i].end : end;
        memset((void *)from, 0, to - from);
    }
    return 0;
}

static int advise(void *address, size_t length, int advice) {
    uintptr_t start, end;
    int error = mapped(address, length, &start, &end);
    if (error != 0) return error;
    switch (advice) {
    case MADV_WILLNEED: return read_in(start, end);
    case MADV_DONTNEED: return forget(start, end);
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_FREE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD: return 0;
    default: return EINVAL;
    }
}

int madvise(void *address, size_t length, int advice) {
    return answer(advise(address, length, advice));
}

int posix_madvise(void *address, size_t length, int advice) {
    if (advice < POSIX_MADV_NORMAL || advice > POSIX_MADV_DONTNEED) return EINVAL;
    // By POSIX it is only a hint, and no data is lost.
    if (advice == POSIX_MADV_DONTNEED) advice = POSIX_MADV_NORMAL;
    return advise(address, length, advice);
}

// A file is kept in memory by a mapping of the host's, which has all of it. Memory of the program's
// own is not the host's to keep.
static int lock(window *this) {
    if (this->has_lock) return 0;
    uint64_t size;
    int error = mm_host_open_file(this->inode, false, true, &this->locked, &size);
    this->has_lock = error == 0;
    switch (error) {
    case EACCES: return EPERM;
    case EMFILE: return ENOMEM;
    case ENOENT: return EAGAIN; // the program has closed it
    default: return error;
    }
}

int mlock(const void *address, size_t length) {
    uintptr_t start, end, page = (uintptr_t)address % PAGE;
    if (length > SIZE_MAX - page) return answer(ENOMEM);
    int error = mapped((const char *)address - page, length + page, &start, &end);
    for (size_t i = mm_area_at(start); error == 0 && overlaps(i, end); i++) {
        bool own = (mm_areas[i].prot & PROT_WRITE) != 0 && !mm_areas[i].shared;
        if (mm_areas[i].kind != SHOWN || own) error = EAGAIN;
    }
    for (size_t i = mm_area_at(start); error == 0 && overlaps(i, end); i++) {
        error = lock(mm_areas[i].window);
    }
    return answer(error);
}

// A window whose other half stays mapped keeps its file in memory until that goes, too.
int munlock(const void *address, size_t length) {
    uintptr_t start, end, page = (uintptr_t)address % PAGE;
    if (length > SIZE_MAX - page) return answer(ENOMEM);
    int error = mapped((const char *)address - page, length + page, &start, &end);
    for (size_t i = mm_area_at(start); error == 0 && overlaps(i, end); i++) {
        window *in = mm_areas[i].window;
        bool whole = mm_areas[i].start >= start && mm_areas[i].end <= end;
        if (mm_areas[i].kind != SHOWN || !in->has_lock || !whole) continue;
        mm_host_close_file(in->locked);
        in->has_lock = false;
    }
    return answer(error);
}
