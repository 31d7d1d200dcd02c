//! What is large lies in the file once memory is scarce, and is as it was.

use std::time::{Duration, Instant};

use rialto_memory::{is_exceeded, limit, machine, usage};

const MIB: u64 = 1 << 20;

fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let began = Instant::now();
    while !happened() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}: {:?}", usage());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One test: the limit is the process's.
#[test]
fn vectors_that_grow_beyond_the_limit_lie_in_the_file_and_come_back_whole() {
    let folder = tempfile::tempdir().unwrap();
    limit(64 * MIB, folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the file has no name");

    // Below half of it nothing is spilled.
    let small: Vec<u64> = (0..1_000_000).collect();
    assert_eq!(usage().spilled, 0);

    // Columns that grow row by row, as state does: 512 MiB of them.
    let mut columns: Vec<Vec<u64>> = vec![Vec::new(); 4];
    for row in 0..16_000_000_u64 {
        for (number, column) in columns.iter_mut().enumerate() {
            column.push(row * 7 + number as u64);
        }
        if row % 1_000_000 == 0 {
            // The watcher sees what there is.
            std::thread::sleep(Duration::from_millis(25));
        }
    }
    let used = usage();
    assert!(used.spilled >= 400 * MIB, "{used:?}");
    assert!(used.own < 64 * MIB && !is_exceeded(), "{used:?}");
    for (number, column) in columns.iter().enumerate() {
        let whole = column.iter().enumerate().all(|(row, &v)| v == row as u64 * 7 + number as u64);
        assert!(whole, "column {number}");
    }

    // What shrinks far goes back to memory, what is given back is free, and reads as zeroes.
    columns[0].truncate(10);
    columns[0].shrink_to_fit();
    assert_eq!(columns[0], [0, 7, 14, 21, 28, 35, 42, 49, 56, 63]);
    columns.truncate(1);
    wait_until("all is given back", || usage().spilled == 0);
    let ones = vec![1_u64; 5 << 20];
    assert!(usage().spilled >= 40 * MIB, "{:?}", usage());
    assert!(ones.iter().all(|&v| v == 1));
    drop(ones);
    // Unseen, the optimiser would need no memory for them.
    let zeroes = std::hint::black_box(vec![0_u64; 5 << 20]);
    assert!(usage().spilled >= 40 * MIB, "{:?}", usage());
    assert!(zeroes.iter().all(|&v| v == 0));
    drop((zeroes, small));

    // Many small things cannot be spilled: that is said.
    let many: Vec<Box<[u8; 1024]>> = (0..100_000).map(|_| Box::new([1; 1024])).collect();
    wait_until("it is exceeded", is_exceeded);
    drop(many);
    assert!(machine().unwrap() > 64 * MIB);
}
