package it;

import java.io.IOException;
import java.io.Writer;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.cloud.loadbalancer.annotation.LoadBalancerClient;
import org.springframework.cloud.openfeign.EnableFeignClients;
import org.springframework.cloud.openfeign.FeignClient;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.task.SimpleAsyncTaskExecutor;
import org.springframework.http.HttpEntity;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpMethod;
import org.springframework.scheduling.annotation.Async;
import org.springframework.scheduling.annotation.EnableAsync;
import org.springframework.stereotype.Component;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestTemplate;
import org.springframework.web.context.request.RequestContextHolder;
import org.springframework.web.context.request.ServletRequestAttributes;
import org.springframework.web.context.request.async.DeferredResult;

/** An ordinary Spring Cloud service: every path asks another service in another way, and gives back its answer. */
@SpringBootApplication
@EnableFeignClients
@EnableAsync
@RestController
public class App {
    /** The next service as a declared client. */
    @FeignClient("next")
    public interface Next {
        @GetMapping("/echo")
        String echo(@RequestParam("n") String n);
    }

    /** Work on Spring's own pool. */
    @Component
    public static class Work {
        @Autowired
        RestTemplate rest;

        @Async
        public CompletableFuture<String> ask(String n) {
            return CompletableFuture.completedFuture(ask(rest, "next", n));
        }

        static String ask(RestTemplate rest, String service, String n) {
            return rest.getForObject("http://" + service + "/echo?n={n}", String.class, n);
        }
    }

    /** One service chooses by chance, with Spring's other balancer. */
    @LoadBalancerClient(name = "chance", configuration = Chance.class)
    @Configuration(proxyBeanMethods = false)
    static class Clients {
        @Bean
        @LoadBalanced
        RestTemplate rest() {
            return new RestTemplate();
        }
    }

    @Autowired
    RestTemplate rest;

    @Value("${copy:base}")
    String copy;

    @Autowired
    Next next;

    @Autowired
    Work work;

    private final RestTemplate plain = new RestTemplate();
    private final SimpleAsyncTaskExecutor simple = new SimpleAsyncTaskExecutor("simple-");

    @GetMapping("/rt/{service}")
    public String rest(@PathVariable String service, @RequestParam(defaultValue = "") String n) {
        return Work.ask(rest, service, n);
    }

    /** A call with a header of the application's own. */
    @GetMapping("/user")
    public String user(@RequestParam String user) {
        HttpHeaders headers = new HttpHeaders();
        headers.set("x-user", user);
        return rest.exchange("http://next/echo?n=", HttpMethod.GET, new HttpEntity<>(headers), String.class).getBody();
    }

    @GetMapping("/feign")
    public String feign(@RequestParam(defaultValue = "") String n) {
        return next.echo(n);
    }

    /** What the next service is in the tests with a registry: another copy of this program. */
    @GetMapping("/echo")
    public String echo(@RequestHeader(name = "x-mse-tag", required = false) String tag, @RequestParam String n) {
        String seen = tag == null ? "null" : '"' + tag + '"';
        return "{\"who\": \"" + copy + "\", \"tag\": " + seen + ", \"path\": \"/echo?n=" + n + "\", \"baggage\": null}";
    }

    /** What this copy itself was sent. */
    @GetMapping("/seen")
    public Map<String, String> seen(@RequestHeader Map<String, String> headers) {
        return headers;
    }

    @GetMapping("/plain")
    public String plain(@RequestParam String url) {
        return plain.getForObject(url, String.class);
    }

    @GetMapping("/async")
    public String async(@RequestParam(defaultValue = "") String n) throws Exception {
        return work.ask(n).get();
    }

    @GetMapping("/future")
    public String future(@RequestParam(defaultValue = "") String n) throws Exception {
        return CompletableFuture.supplyAsync(() -> Work.ask(rest, "next", n)).get();
    }

    @GetMapping("/simple")
    public String simple(@RequestParam(defaultValue = "") String n) throws ExecutionException, InterruptedException {
        CompletableFuture<String> done = new CompletableFuture<>();
        simple.execute(() -> done.complete(Work.ask(rest, "next", n)));
        return done.get();
    }

    @GetMapping("/callable")
    public Callable<String> callable(@RequestParam(defaultValue = "") String n) {
        return () -> Work.ask(rest, "next", n);
    }

    /** The answer is made in the second pass of the request, by {@link SecondPass}. */
    @GetMapping("/deferred")
    public DeferredResult<Map<String, String>> deferred(@RequestParam(defaultValue = "") String n) {
        DeferredResult<Map<String, String>> result = new DeferredResult<>(30_000L);
        Thread completer = new Thread(() -> result.setResult(Collections.singletonMap("later", n)), "completer");
        completer.start();
        return result;
    }

    /** A call from a thread that has nothing of this request; an id goes with it as a header of the application's own. */
    @GetMapping("/alone")
    public String alone(@RequestParam(defaultValue = "") String id) throws Exception {
        HttpHeaders headers = new HttpHeaders();
        if (!id.isEmpty()) {
            headers.set("x-request-id", id);
        }
        HttpEntity<Void> request = new HttpEntity<>(headers);
        CompletableFuture<String> done = new CompletableFuture<>();
        Runnable call = () -> {
            try {
                done.complete(rest.exchange("http://next/echo?n=", HttpMethod.GET, request, String.class).getBody());
            } catch (RuntimeException why) {
                done.completeExceptionally(why);
            }
        };
        new Thread(call, "alone").start();
        return done.get();
    }

    /** The servlet API's own way; by reflection, because its package is another one since Spring Boot 3. */
    @GetMapping("/start")
    public void start(@RequestParam(defaultValue = "") String n) throws Exception {
        ServletRequestAttributes now = (ServletRequestAttributes) RequestContextHolder.currentRequestAttributes();
        Object context = now.getRequest().getClass().getMethod("startAsync").invoke(now.getRequest());
        Writer out = now.getResponse().getWriter();
        Runnable rest = () -> {
            try {
                out.write(Work.ask(this.rest, "next", n));
                context.getClass().getMethod("complete").invoke(context);
            } catch (ReflectiveOperationException | IOException why) {
                throw new IllegalStateException(why);
            }
        };
        context.getClass().getMethod("start", Runnable.class).invoke(context, rest);
    }

    public static void main(String[] args) {
        SpringApplication.run(App.class, args);
    }
}
