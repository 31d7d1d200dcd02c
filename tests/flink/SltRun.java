import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Runs sqllogictest files against a real Flink.
 *
 * <pre>SltRun [--complete [--mark-errors]] [--batch] [--threads N] --data DIR FILE|DIR...</pre>
 *
 * Without --complete the answers in the files are compared with Flink's; with it Flink's answers
 * are written into the files. --mark-errors also turns blocks that Flink refuses into error
 * blocks; read what it prints, a refusal may as well be a mistake in the test. --batch runs every
 * query in batch mode: what differs then is worth a look (late rows do, and so do faults).
 */
public final class SltRun {
    private static final long FAILURE_LINES = 12;
    private static final int MESSAGE_LENGTH = 600;

    private boolean batch;
    private boolean complete;
    private boolean markErrors;
    private int threads = 2;
    private Path data = Path.of("tests/data");
    private final List<Path> files = new ArrayList<>();

    /** What one file came to. */
    private static final class Outcome {
        int passed;
        int skipped;
        final List<String> failures = new ArrayList<>();
    }

    public static void main(String[] arguments) throws Exception {
        SltRun run = new SltRun();
        run.parse(arguments);
        SharedCluster.start(run.threads * 8);
        boolean green = run.runAll();
        // Job threads of a query that hangs must not keep the process alive.
        Runtime.getRuntime().halt(green ? 0 : 1);
    }

    private void parse(String[] arguments) throws IOException {
        for (int i = 0; i < arguments.length; i++) {
            switch (arguments[i]) {
                case "--batch" -> batch = true;
                case "--complete" -> complete = true;
                case "--mark-errors" -> markErrors = true;
                case "--threads" -> threads = Integer.parseInt(arguments[++i]);
                case "--data" -> data = Path.of(arguments[++i]);
                default -> addFiles(Path.of(arguments[i]));
            }
        }
        data = data.toRealPath();
    }

    private void addFiles(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new IOException(path + ": no such file or folder");
        }
        try (Stream<Path> tree = Files.walk(path)) {
            tree.filter(p -> p.toString().endsWith(".slt")).sorted().forEach(files::add);
        }
    }

    private boolean runAll() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        List<Future<Outcome>> futures = new ArrayList<>();
        for (Path file : files) {
            futures.add(pool.submit(() -> runFile(file)));
        }
        int passed = 0;
        int failed = 0;
        int skipped = 0;
        for (Future<Outcome> future : futures) {
            Outcome outcome = future.get();
            passed += outcome.passed;
            failed += outcome.failures.size();
            skipped += outcome.skipped;
        }
        pool.shutdown();
        System.out.printf("%d passed, %d failed, %d skipped%n", passed, failed, skipped);
        return failed == 0;
    }

    private Outcome runFile(Path path) {
        Outcome outcome = new Outcome();
        long start = System.nanoTime();
        Path scratch = null;
        try {
            scratch = Files.createTempDirectory("slt");
            SltFile file = new SltFile(path);
            Referee referee = new Referee(batch);
            for (SltFile.Block block : file.blocks) {
                if (block.kind == SltFile.Kind.HALT) {
                    break;
                }
                if (block.kind != SltFile.Kind.TEXT) {
                    runBlock(file, block, referee, scratch, outcome);
                }
            }
            if (complete) {
                file.write();
            }
        } catch (Exception e) {
            outcome.failures.add(path + ": " + stack(e));
        } finally {
            remove(scratch);
        }
        synchronized (System.out) {
            System.out.printf(
                    Locale.ROOT,
                    "%s %s: %d passed, %d skipped, %.1f s%n",
                    outcome.failures.isEmpty() ? "ok  " : "FAIL",
                    path,
                    outcome.passed,
                    outcome.skipped,
                    (System.nanoTime() - start) / 1e9);
            outcome.failures.forEach(System.out::println);
            System.out.flush();
        }
        return outcome;
    }

    private void runBlock(
            SltFile file, SltFile.Block block, Referee referee, Path scratch, Outcome outcome) {
        if (!block.appliesToFlink()) {
            outcome.skipped++;
            return;
        }
        String sql =
                block.statement()
                        .replace("${DATA}", data.toString())
                        .replace("${TMP}", scratch.toString());
        String failure;
        try {
            failure = check(block, referee, sql);
        } catch (Exception | StackOverflowError e) {
            failure = judgeError(block, e);
        }
        if (failure == null) {
            outcome.passed++;
        } else {
            String where = file.path + ":" + block.line;
            outcome.failures.add("  " + where + "\n    " + sql.replace("\n", "\n    ") + "\n"
                    + failure.indent(4).stripTrailing());
        }
    }

    /** Runs a block that may well succeed; gives what is wrong, or null. */
    private String check(SltFile.Block block, Referee referee, String sql) throws Exception {
        switch (block.kind) {
            case STATEMENT_OK -> referee.execute(sql);
            case STATEMENT_ERROR -> {
                referee.execute(sql);
                return "expected an error, but it ran";
            }
            case QUERY_ERROR -> {
                Referee.Answer answer = referee.query(sql);
                return "expected an error, got:\n" + String.join("\n", answer.rows());
            }
            default -> {
                return compare(block, referee.query(sql));
            }
        }
        return null;
    }

    private String compare(SltFile.Block block, Referee.Answer answer) {
        List<String> expected = new ArrayList<>(block.expected);
        List<String> rows = new ArrayList<>(answer.rows());
        if (block.sort.equals("rowsort")) {
            expected.sort(SltRun::compareBytes);
            rows.sort(SltRun::compareBytes);
        }
        if (complete) {
            block.types = answer.types();
            block.expected = rows;
            return null;
        }
        if (expected.equals(rows) && block.types.equals(answer.types())) {
            return null;
        }
        return "expected " + block.types + ":\n" + String.join("\n", expected)
                + "\nFlink gives " + answer.types() + ":\n" + String.join("\n", rows);
    }

    static int compareBytes(String left, String right) {
        return Arrays.compareUnsigned(
                left.getBytes(StandardCharsets.UTF_8), right.getBytes(StandardCharsets.UTF_8));
    }

    private String judgeError(SltFile.Block block, Throwable error) {
        String message = messages(error);
        boolean wanted =
                block.kind == SltFile.Kind.QUERY_ERROR
                        || block.kind == SltFile.Kind.STATEMENT_ERROR;
        if (wanted && Pattern.compile(block.pattern).matcher(message).find()) {
            return null;
        }
        if (complete && markErrors && !wanted) {
            block.expectError();
        }
        return (wanted ? "the error does not match: " : "Flink fails: ") + message;
    }

    /** The messages of an error and its causes, each once. */
    private static String messages(Throwable error) {
        List<String> lines = new ArrayList<>();
        for (Throwable cause = error; cause != null; cause = cause.getCause()) {
            String line = cause.toString();
            boolean said = lines.stream().anyMatch(earlier -> earlier.contains(line));
            if (!said && line.length() > MESSAGE_LENGTH) {
                lines.add(line.substring(0, MESSAGE_LENGTH) + " ...");
            } else if (!said) {
                lines.add(line);
            }
        }
        return String.join("\n", lines);
    }

    private static String stack(Throwable error) {
        StringWriter text = new StringWriter();
        error.printStackTrace(new PrintWriter(text));
        return text.toString().lines().limit(FAILURE_LINES).collect(Collectors.joining("\n"));
    }

    private static void remove(Path folder) {
        if (folder == null) {
            return;
        }
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            System.err.println("cannot remove " + folder + ": " + e.getMessage());
        }
    }
}
