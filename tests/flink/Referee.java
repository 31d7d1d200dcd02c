import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.internal.TableResultInternal;
import org.apache.flink.table.catalog.Catalog;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalTypeFamily;
import org.apache.flink.table.utils.print.RowDataToStringConverter;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.CloseableIterator;

/** One fresh Flink catalog that runs statements and gives the collapsed rows of queries. */
final class Referee {
    private static final long STATEMENT_SECONDS = 120;
    private static final Pattern SET =
            Pattern.compile("(?is)SET\\s+'([^']+)'\\s*=\\s*'([^']*)'");
    private static final Pattern RESET = Pattern.compile("(?is)RESET(\\s+'([^']+)')?");
    private static final Pattern QUERY =
            Pattern.compile("(?is)^\\s*(SELECT|WITH|VALUES|\\(|SHOW|DESC|EXPLAIN).*");

    /** The final rows of a query; a type letter, a name and "is a number" for each column. */
    record Answer(String types, List<String> names, List<Boolean> numeric, List<String> rows) {}

    private static final String RUNTIME_MODE = "execution.runtime-mode";

    private final TableEnvironment streaming = environment(false);
    private final TableEnvironment batch = environment(true);
    private final boolean alwaysBatch;
    private TableEnvironment tables;
    private long nextPlace;

    @SuppressWarnings("deprecation") // the replacement wants a factory, not a catalog
    Referee(boolean alwaysBatch) {
        this.alwaysBatch = alwaysBatch;
        tables = alwaysBatch ? batch : streaming;
        // Both modes see the same tables; a file chooses with SET 'execution.runtime-mode'.
        String name = streaming.getCurrentCatalog();
        Catalog catalog = streaming.getCatalog(name).orElseThrow();
        batch.registerCatalog("shared", catalog);
        batch.useCatalog("shared");
    }

    private static TableEnvironment environment(boolean inBatchMode) {
        Configuration configuration = new Configuration();
        configuration.setString("execution.target", SharedCluster.NAME);
        configuration.setString("parallelism.default", "1");
        configuration.setString("table.local-time-zone", "UTC");
        // Every row moves the watermark: what is late then depends on the input alone.
        configuration.setString("pipeline.auto-watermark-interval", "0 ms");
        EnvironmentSettings.Builder settings =
                EnvironmentSettings.newInstance().withConfiguration(configuration);
        return TableEnvironment.create(
                (inBatchMode ? settings.inBatchMode() : settings.inStreamingMode()).build());
    }

    /** Runs a statement to its end; an INSERT waits for its job. */
    void execute(String sql) throws Exception {
        Matcher set = SET.matcher(sql);
        Matcher reset = RESET.matcher(sql);
        if (set.matches() && set.group(1).equals(RUNTIME_MODE)) {
            boolean wanted = alwaysBatch || set.group(2).equalsIgnoreCase("batch");
            tables = wanted ? batch : streaming;
        } else if (set.matches()) {
            streaming.getConfig().set(set.group(1), set.group(2));
            batch.getConfig().set(set.group(1), set.group(2));
        } else if (reset.matches() && reset.group(2) != null) {
            streaming.getConfig().getConfiguration().removeKey(reset.group(2));
            batch.getConfig().getConfiguration().removeKey(reset.group(2));
        } else if (QUERY.matcher(sql).matches()) {
            query(sql);
        } else {
            tables.executeSql(sql).await(STATEMENT_SECONDS, TimeUnit.SECONDS);
        }
    }

    /**
     * Runs a query and applies its changelog. Rows come back in the order they were first added,
     * which means something only for an ordered query in batch mode.
     */
    @SuppressWarnings("try") // close() may be interrupted, which ends the run: fine
    Answer query(String sql) throws Exception {
        TableResultInternal result = (TableResultInternal) tables.executeSql(sql);
        List<DataType> types = result.getResolvedSchema().getColumnDataTypes();
        StringBuilder letters = new StringBuilder();
        types.forEach(type -> letters.append(letter(type)));
        RowDataToStringConverter converter = result.getRowDataToStringConverter();
        Map<String, Deque<Long>> changes = new LinkedHashMap<>();
        try (CloseableIterator<RowData> rows = result.collectInternal()) {
            while (rows.hasNext()) {
                RowData row = rows.next();
                RowKind kind = row.getRowKind();
                boolean adds = kind == RowKind.INSERT || kind == RowKind.UPDATE_AFTER;
                apply(changes, render(row, converter), adds);
            }
        }
        List<String> lines = new ArrayList<>();
        changes.forEach((line, times) -> times.forEach(time -> lines.add(time + " " + line)));
        lines.sort(Comparator.comparingLong(line -> Long.parseLong(line.split(" ", 2)[0])));
        lines.replaceAll(line -> line.split(" ", 2)[1]);
        List<String> names = result.getResolvedSchema().getColumnNames();
        List<Boolean> numeric =
                types.stream()
                        .map(t -> t.getLogicalType().is(LogicalTypeFamily.NUMERIC))
                        .toList();
        return new Answer(letters.toString(), names, numeric, lines);
    }

    /** Adds a row with its place in the order, or takes its oldest copy away again. */
    private void apply(Map<String, Deque<Long>> changes, String line, boolean adds) {
        Deque<Long> places = changes.computeIfAbsent(line, key -> new ArrayDeque<>());
        if (adds) {
            places.add(nextPlace++);
        } else if (places.poll() == null) {
            throw new IllegalStateException("retracted but never added: " + line);
        }
    }

    private static char letter(DataType type) {
        switch (type.getLogicalType().getTypeRoot()) {
            case TINYINT:
            case SMALLINT:
            case INTEGER:
            case BIGINT:
                return 'I';
            case FLOAT:
            case DOUBLE:
                return 'R';
            default:
                return 'T';
        }
    }

    private static String render(RowData row, RowDataToStringConverter converter) {
        String[] values = converter.convert(row);
        for (int i = 0; i < values.length; i++) {
            if (row.isNullAt(i)) {
                values[i] = "NULL";
                continue;
            }
            String text = values[i].replaceAll(" +$", "");
            text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r");
            values[i] = text.isEmpty() ? "(empty)" : text;
        }
        return String.join("\t", values);
    }
}
