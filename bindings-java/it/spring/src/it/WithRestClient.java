package it;

import org.springframework.cloud.client.loadbalancer.LoadBalanced;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.client.RestClient;

/** What Spring 6 added: RestClient, which sends through java.net.http by default. */
@RestController
public class WithRestClient {
    @Configuration(proxyBeanMethods = false)
    static class Clients {
        @Bean
        @LoadBalanced
        RestClient.Builder builder() {
            return RestClient.builder();
        }
    }

    private final RestClient client;

    WithRestClient(RestClient.Builder builder) {
        this.client = builder.build();
    }

    @GetMapping("/rc")
    public String ask(@RequestParam(defaultValue = "") String n) {
        return client.get().uri("http://next/echo?n={n}", n).retrieve().body(String.class);
    }
}
