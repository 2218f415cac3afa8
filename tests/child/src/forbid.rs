//! A system call that fails, as on a kernel that doesn't know it or in a sandbox.

/// Makes a system call fail with this `errno` for the rest of this thread's life, and in threads that it
/// starts: always, or where its argument of this number has this value. In a child only.
pub fn forbid(call: libc::c_long, argument: Option<(u32, u64)>, errno: i32) {
    // Where `seccomp_data` has the call's number, and its arguments of 64 bits.
    let mut compared = vec![(0, call as u32)];
    if let Some((number, value)) = argument {
        let (low, high) = (16 + 8 * number, 20 + 8 * number);
        let [low, high] = if cfg!(target_endian = "little") { [low, high] } else { [high, low] };
        compared.extend([(low, value as u32), (high, (value >> 32) as u32)]);
    }
    let mut program = Vec::new();
    for (n, (place, value)) in compared.iter().enumerate() {
        program.push(bpf(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, *place));
        // To the last instruction, if it is another.
        let otherwise = 2 * (compared.len() - 1 - n) + 1;
        program.push(bpf(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, otherwise as u8, *value));
    }
    program.push(bpf(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | errno as u32));
    program.push(bpf(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the arguments are those that prctl(2) asks for; the filter lives through the call, which
    // copies it.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            | libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter)
    };
    assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
}

fn bpf(code: u32, otherwise: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: 0, jf: otherwise, k: value }
}
