import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A sqllogictest file: its blocks in order, able to write itself back byte for byte. */
final class SltFile {
    /** What a block asks for. */
    enum Kind {
        /** Comment or blank lines. */
        TEXT,
        STATEMENT_OK,
        STATEMENT_ERROR,
        QUERY,
        QUERY_ERROR,
        HALT
    }

    /** One block: the lines as written, and what they mean. */
    static final class Block {
        Kind kind = Kind.TEXT;
        int line;
        final List<String> conditions = new ArrayList<>();
        String header = "";
        String types = "";
        String sort = "nosort";
        /** The regular expression of an error block; empty for any error. */
        String pattern = "";
        final List<String> sql = new ArrayList<>();
        List<String> expected = new ArrayList<>();
        final List<String> text = new ArrayList<>();

        /** The statement without a closing semicolon. */
        String statement() {
            String joined = String.join("\n", sql).strip();
            return joined.endsWith(";") ? joined.substring(0, joined.length() - 1) : joined;
        }

        /** Whether the conditions let the engine called {@code flink} run this block. */
        boolean appliesToFlink() {
            for (String condition : conditions) {
                String[] words = condition.split("\\s+");
                boolean named = words.length > 1 && words[1].equals("flink");
                if (words[0].equals("skipif") == named) {
                    return false;
                }
            }
            return true;
        }

        /** Turns a query that has no answer into one that must fail. */
        void expectError() {
            kind = kind == Kind.STATEMENT_OK ? Kind.STATEMENT_ERROR : Kind.QUERY_ERROR;
            header = kind == Kind.STATEMENT_ERROR ? "statement error" : "query error";
            expected = new ArrayList<>();
        }

        private void render(List<String> out) {
            if (kind == Kind.TEXT) {
                out.addAll(text);
                return;
            }
            out.addAll(conditions);
            out.add(kind == Kind.QUERY ? "query " + types + " " + sort : header);
            out.addAll(sql);
            if (kind == Kind.QUERY) {
                out.add("----");
                out.addAll(expected);
            }
        }
    }

    final Path path;
    final List<Block> blocks = new ArrayList<>();

    SltFile(Path path) throws IOException {
        this.path = path;
        List<String> lines = Files.readAllLines(path);
        int at = 0;
        while (at < lines.size()) {
            String line = lines.get(at);
            if (line.isBlank() || line.startsWith("#")) {
                Block text = new Block();
                text.line = at + 1;
                while (at < lines.size()
                        && (lines.get(at).isBlank() || lines.get(at).startsWith("#"))) {
                    text.text.add(lines.get(at++));
                }
                blocks.add(text);
            } else {
                at = parseBlock(lines, at);
            }
        }
    }

    private int parseBlock(List<String> lines, int start) throws IOException {
        Block block = new Block();
        int at = start;
        while (lines.get(at).startsWith("skipif") || lines.get(at).startsWith("onlyif")) {
            block.conditions.add(lines.get(at++));
        }
        block.line = at + 1;
        block.header = lines.get(at++);
        parseHeader(block);
        while (at < lines.size() && !lines.get(at).isBlank() && !lines.get(at).equals("----")) {
            block.sql.add(lines.get(at++));
        }
        if (at < lines.size() && lines.get(at).equals("----")) {
            at++;
            while (at < lines.size() && !lines.get(at).isBlank()) {
                block.expected.add(lines.get(at++));
            }
        }
        blocks.add(block);
        return at;
    }

    private void parseHeader(Block block) throws IOException {
        String[] words = block.header.trim().split("\\s+", 3);
        String kind = words[0] + " " + (words.length > 1 ? words[1] : "");
        if (kind.equals("statement ok")) {
            block.kind = Kind.STATEMENT_OK;
        } else if (kind.equals("statement error") || kind.equals("query error")) {
            block.kind =
                    words[0].equals("query") ? Kind.QUERY_ERROR : Kind.STATEMENT_ERROR;
            block.pattern = words.length > 2 ? words[2] : "";
        } else if (words[0].equals("query")) {
            block.kind = Kind.QUERY;
            block.types = words.length > 1 ? words[1] : "?";
            block.sort = words.length > 2 ? words[2] : "nosort";
            if (!block.sort.equals("rowsort") && !block.sort.equals("nosort")) {
                throw new IOException(
                        path + ":" + block.line + ": sort must be rowsort or nosort");
            }
        } else if (words[0].equals("halt")) {
            block.kind = Kind.HALT;
        } else {
            throw new IOException(path + ":" + block.line + ": unknown record: " + block.header);
        }
    }

    /** Writes the file back with the results that its blocks hold now. */
    void write() throws IOException {
        List<String> out = new ArrayList<>();
        for (Block block : blocks) {
            block.render(out);
        }
        Files.writeString(path, String.join("\n", out) + "\n");
    }
}
