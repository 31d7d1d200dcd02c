import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Runs a SQL file that ends in a query on Flink and writes its final rows as JSON lines.
 *
 * <pre>SqlJson INPUT.sql OUTPUT.ndjson [INPUT.sql OUTPUT.ndjson]...</pre>
 */
public final class SqlJson {
    private SqlJson() {}

    public static void main(String[] arguments) throws Exception {
        SharedCluster.start(4);
        for (int i = 0; i + 1 < arguments.length; i += 2) {
            List<String> rows = run(Path.of(arguments[i]));
            rows.sort(SltRun::compareBytes);
            Files.writeString(Path.of(arguments[i + 1]), String.join("\n", rows) + "\n");
            System.out.println(arguments[i + 1] + ": " + rows.size() + " rows");
        }
        Runtime.getRuntime().halt(0);
    }

    private static List<String> run(Path file) throws Exception {
        String text = Files.readString(file).replaceAll("(?m)^\\s*--.*$", "");
        Referee referee = new Referee(false);
        List<String> rows = new ArrayList<>();
        for (String statement : text.split(";\\s*(\\r?\\n|$)")) {
            if (statement.strip().startsWith("SELECT")) {
                Referee.Answer answer = referee.query(statement.strip());
                answer.rows().forEach(row -> rows.add(object(answer, row.split("\t", -1))));
            } else if (!statement.isBlank()) {
                referee.execute(statement.strip());
            }
        }
        return rows;
    }

    private static String object(Referee.Answer answer, String[] values) {
        StringBuilder out = new StringBuilder("{");
        for (int i = 0; i < values.length; i++) {
            out.append(i == 0 ? "" : ", ").append(quote(answer.names().get(i))).append(": ");
            if (values[i].equals("NULL")) {
                out.append("null");
            } else if (answer.numeric().get(i)) {
                out.append(values[i]);
            } else {
                out.append(quote(values[i].equals("(empty)") ? "" : values[i]));
            }
        }
        return out.append("}").toString();
    }

    private static String quote(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
