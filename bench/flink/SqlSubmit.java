import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;

/**
 * Submits SQL files to the cluster of a configuration folder and waits for each job.
 *
 * <pre>SqlSubmit CONF_DIR DDL FILE...</pre>
 *
 * One line before and after each job: {@code START name job-id} and {@code END name job-id}, or
 * {@code FAIL name reason}. Placeholders are substituted by the caller. Takes the place of
 * Flink's SQL gateway, which the Python package does not contain.
 */
public final class SqlSubmit {
    private SqlSubmit() {}

    public static void main(String[] arguments) throws Exception {
        Configuration configuration = GlobalConfiguration.loadConfiguration(arguments[0]);
        List<String> ddl = statements(Path.of(arguments[1]));
        for (int i = 2; i < arguments.length; i++) {
            Path file = Path.of(arguments[i]);
            String name = file.getFileName().toString().replace(".sql", "");
            try {
                run(name, configuration, ddl, statements(file));
            } catch (Exception e) {
                Throwable cause = e;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                say("FAIL " + name + " " + cause.toString().replace('\n', ' '));
            }
        }
    }

    private static void run(
            String name, Configuration configuration, List<String> ddl, List<String> statements)
            throws Exception {
        Configuration named = new Configuration(configuration);
        named.setString("pipeline.name", name);
        TableEnvironment tables =
                TableEnvironment.create(
                        EnvironmentSettings.newInstance()
                                .inStreamingMode()
                                .withConfiguration(named)
                                .build());
        for (String statement : ddl) {
            tables.executeSql(statement);
        }
        for (String statement : statements) {
            TableResult result = tables.executeSql(statement);
            Optional<JobClient> job = result.getJobClient();
            if (job.isPresent()) {
                say("START " + name + " " + job.get().getJobID());
                result.await();
                say("END " + name + " " + job.get().getJobID());
            }
        }
    }

    private static List<String> statements(Path file) throws Exception {
        String text = Files.readString(file).replaceAll("(?m)^\\s*--.*$", "");
        List<String> out = new ArrayList<>();
        for (String part : text.split(";\\s*(\\r?\\n|$)")) {
            if (!part.isBlank()) {
                out.add(part.strip());
            }
        }
        return out;
    }

    private static void say(String line) {
        System.out.println(line);
        System.out.flush();
    }
}
