import java.util.concurrent.CompletableFuture;
import org.apache.flink.client.deployment.executors.PipelineExecutorUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.runtime.minicluster.MiniClusterJobClient;
import org.apache.flink.runtime.minicluster.RpcServiceSharing;
import org.apache.flink.streaming.api.graph.StreamGraph;

/**
 * One mini-cluster for all jobs of this JVM.
 *
 * <p>Flink's own local executor starts and stops a cluster for every job, which costs about a
 * second a query; this one submits to a cluster that stays. Flink finds it through
 * META-INF/services (written by provision.sh) when execution.target names it.
 */
public final class SharedCluster implements PipelineExecutorFactory {
    static final String NAME = "shared-mini-cluster";

    private static MiniCluster cluster;

    /** Starts the cluster with so many task slots. */
    static void start(int slots) throws Exception {
        MiniClusterConfiguration configuration =
                new MiniClusterConfiguration.Builder()
                        .setConfiguration(new Configuration())
                        .setNumTaskManagers(1)
                        .setNumSlotsPerTaskManager(slots)
                        .setRpcServiceSharing(RpcServiceSharing.SHARED)
                        .withRandomPorts()
                        .build();
        cluster = new MiniCluster(configuration);
        cluster.start();
    }

    static void stop() throws Exception {
        cluster.close();
    }

    @Override
    public String getName() {
        return NAME;
    }

    @Override
    public boolean isCompatibleWith(Configuration configuration) {
        return NAME.equals(configuration.get(DeploymentOptions.TARGET));
    }

    @Override
    public PipelineExecutor getExecutor(Configuration configuration) {
        return (pipeline, jobConfiguration, classLoader) -> {
            StreamGraph graph = PipelineExecutorUtils.getStreamGraph(pipeline, jobConfiguration);
            graph.serializeUserDefinedInstances();
            CompletableFuture<JobClient> client =
                    cluster.submitJob(graph)
                            .thenApply(
                                    submitted ->
                                            new MiniClusterJobClient(
                                                    submitted.getJobID(),
                                                    cluster,
                                                    classLoader,
                                                    MiniClusterJobClient.JobFinalizationBehavior
                                                            .NOTHING));
            return client;
        };
    }
}
